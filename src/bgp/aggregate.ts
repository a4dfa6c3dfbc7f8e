/**
 * Host routes announced as the wider prefixes that cover them: `aggregationLength` of both generations of CRDs.
 *
 * No aggregation in the sense of RFC 4271 §9.2.2: the wider prefix is announced as our own route as soon as one address
 * in it is, and what overlaps is merged as Cilium does it: all communities, the highest local preference.
 */
import { formatIpv4, formatIpv4Prefix, parseIpv4Prefix } from "../net/ipv4.ts";
import { formatIpv6Prefix, parseIpv6Prefix } from "./ipv6-prefix.ts";
import type { RouteSpec } from "./speaker-spec.ts";

/** `null` leaves a family alone. Routes that are wider already stay as they are. */
export interface AggregationLengths {
  readonly ipv4: number | null;
  readonly ipv6: number | null;
}

export function aggregateRoutes(routes: readonly RouteSpec[], lengths: AggregationLengths): RouteSpec[] {
  const merged = new Map<string, RouteSpec>();
  for (const route of routes) {
    const prefix = widened(route.prefix, lengths);
    const key = `${prefix} ${route.nextHop}`;
    const before = merged.get(key);
    merged.set(key, before === undefined ? { ...route, prefix } : mergedRoute(before, route));
  }
  return [...merged.values()];
}

/** Two declarations of one prefix as one: nothing that either asks for is lost. */
export function mergedRoute(left: RouteSpec, right: RouteSpec): RouteSpec {
  const preferences = [left.localPreference, right.localPreference].filter((one) => one !== null);
  const meds = [left.med ?? null, right.med ?? null].filter((one) => one !== null);
  return {
    ...left,
    localPreference: preferences.length === 0 ? null : Math.max(...preferences),
    communities: [...new Set([...left.communities, ...right.communities])].sort(),
    largeCommunities: [...new Set([...left.largeCommunities, ...right.largeCommunities])].sort(),
    med: meds.length === 0 ? null : Math.min(...meds),
  };
}

function widened(text: string, lengths: AggregationLengths): string {
  const four = parseIpv4Prefix(text);
  if (four !== null) {
    if (lengths.ipv4 === null || four.length <= lengths.ipv4) return text;
    return formatIpv4Prefix(parseIpv4Prefix(`${formatIpv4(four.address)}/${lengths.ipv4}`)!);
  }
  const six = parseIpv6Prefix(text);
  if (six === null || lengths.ipv6 === null || six.length <= lengths.ipv6) return text;
  const address = formatIpv6Prefix(six).split("/")[0]!;
  return formatIpv6Prefix(parseIpv6Prefix(`${address}/${lengths.ipv6}`)!);
}

/**
 * What a session adds to declared routes before its peer sees them: our own address as next hop, the marks of a graceful
 * shutdown (RFC 8326), ONLY_TO_CUSTOMER (RFC 9234).
 *
 * Sessions whose policies have the same `key` send the same octets for the same routes: they form an update group.
 */
import { parseIpv4 } from "../net/ipv4.ts";
import { sequence } from "./as-path.ts";
import { parseIpv6 } from "./ipv6-prefix.ts";
import { NO_ATTRIBUTES, type PathAttributes, type WireSession } from "./message.ts";
import type { Negotiated } from "./negotiation.ts";
import { GRACEFUL_SHUTDOWN, NEXT_HOP_SELF, type RouteAttributes } from "./route-attributes.ts";

/** RFC 4271 §5.1.5 leaves the value to the speaker; 100 is what all routers take as usual. */
const DEFAULT_LOCAL_PREFERENCE = 100;

export interface ExportPolicy {
  readonly wire: WireSession;
  /** Our address on the session, text; `null` when it is not known. */
  readonly selfAddress: string | null;
  readonly gracefulShutdown: boolean;
  /** Our AS number where a route must not travel up again from the peer. */
  readonly onlyToCustomer: number | null;
  readonly key: string;
}

export function exportPolicy(
  { wire, role }: Negotiated,
  localAsn: number,
  selfAddress: string | null,
  gracefulShutdown: boolean,
): ExportPolicy {
  // RFC 9234 §5: added toward customers, peers and clients of a route server.
  const marks = role === "provider" || role === "peer" || role === "route-server";
  const onlyToCustomer = marks ? localAsn : null;
  const { fourOctetAs, external, extendedNextHop } = wire;
  const key = [selfAddress, gracefulShutdown, onlyToCustomer, fourOctetAs, external, extendedNextHop].join(" ");
  return { wire, selfAddress, gracefulShutdown, onlyToCustomer, key };
}

/** The next hop that the peer is told, or `null` when there is none that it could use. */
export function nextHopFor(route: RouteAttributes, afi: "ipv4" | "ipv6", policy: ExportPolicy): string | null {
  const nextHop = route.nextHop === NEXT_HOP_SELF ? policy.selfAddress : route.nextHop;
  if (nextHop === null) return null;
  if (parseIpv4(nextHop) !== null) return afi === "ipv4" ? nextHop : null;
  if (parseIpv6(nextHop) === null) return null;
  return afi === "ipv6" || policy.wire.extendedNextHop ? nextHop : null;
}

/** Everything but MP_REACH_NLRI; `nextHop` is `null` where that attribute carries it. */
export function pathAttributesOf(route: RouteAttributes, nextHop: string | null, policy: ExportPolicy): PathAttributes {
  const { wire, gracefulShutdown, onlyToCustomer } = policy;
  const { communities } = route;
  const marked = gracefulShutdown && !communities.includes(GRACEFUL_SHUTDOWN);
  // The receiver lowers its preference by the community; inside our AS the preference itself travels.
  const preference = gracefulShutdown ? 0 : (route.localPreference ?? DEFAULT_LOCAL_PREFERENCE);
  return {
    ...NO_ATTRIBUTES,
    origin: "IGP",
    asPath: sequence(route.asPath),
    nextHop: nextHop === null ? null : parseIpv4(nextHop),
    med: route.med,
    localPreference: wire.external ? null : preference,
    communities: marked ? [...communities, GRACEFUL_SHUTDOWN] : communities,
    largeCommunities: route.largeCommunities,
    onlyToCustomer,
  };
}

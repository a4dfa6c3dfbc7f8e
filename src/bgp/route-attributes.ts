/**
 * What a declared route carries besides its prefix, read once from text.
 *
 * Routes with the same attributes share one `RouteAttributes`, known by its text form (`identity`): so a comparison of two
 * routes is one of two numbers or two strings, and packing is grouping.
 */
import type { LargeCommunity } from "./message.ts";
import type { RouteSpec } from "./speaker-spec.ts";

/** Stands for our own address on the session, whatever that is. */
export const NEXT_HOP_SELF = "self";

/** Everything of a route but its prefix. */
export interface RouteAttributes {
  readonly identity: string;
  /** An address, or `NEXT_HOP_SELF`. */
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly localPreference: number | null;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  readonly med: number | null;
  /** A route that shows them, for people. */
  readonly example: RouteSpec;
}

/** The attributes of a route, or the words for what is wrong with them. */
export function attributesOf(route: RouteSpec): RouteAttributes | string {
  const identity = `${route.nextHop}|${route.asPath.join()}|${route.localPreference}|${route.communities.join()}|${route.largeCommunities.join()}|${route.med ?? null}`;
  const communities: number[] = [];
  for (const text of route.communities) {
    const community = parseCommunity(text);
    if (community === null) return `community ${text} is not ASN:VALUE`;
    communities.push(community);
  }
  const largeCommunities: LargeCommunity[] = [];
  for (const text of route.largeCommunities) {
    const community = parseLargeCommunity(text);
    if (community === null) return `large community ${text} is not GLOBAL:LOCAL1:LOCAL2`;
    largeCommunities.push(community);
  }
  const { nextHop, asPath, localPreference } = route;
  const med = route.med ?? null;
  return { identity, nextHop, asPath, localPreference, communities, largeCommunities, med, example: route };
}

/** Names of RFC 1997, 3765, 7611, 7999 and 8326, as routers spell them. */
const WELL_KNOWN: Readonly<Record<string, number>> = {
  internet: 0,
  "graceful-shutdown": 0xffff0000,
  "accept-own": 0xffff0001,
  blackhole: 0xffff029a,
  "no-export": 0xffffff01,
  "no-advertise": 0xffffff02,
  "no-export-subconfed": 0xffffff03,
  "no-peer": 0xffffff04,
};
export const GRACEFUL_SHUTDOWN = WELL_KNOWN["graceful-shutdown"]!;

/** `65000:100` or a well-known name as one 32-bit number; `null` when it is anything else. */
export function parseCommunity(text: string): number | null {
  if (Object.hasOwn(WELL_KNOWN, text)) return WELL_KNOWN[text]!;
  const parts = numbers(text, 2, 0xffff);
  return parts === null ? null : parts[0]! * 0x10000 + parts[1]!;
}

export function formatCommunity(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

export function parseLargeCommunity(text: string): LargeCommunity | null {
  const parts = numbers(text, 3, 0xffffffff);
  return parts === null ? null : [parts[0]!, parts[1]!, parts[2]!];
}

function numbers(text: string, count: number, max: number): number[] | null {
  const parts = text.split(":");
  if (parts.length !== count || !parts.every((part) => /^\d{1,10}$/.test(part))) return null;
  const values = parts.map(Number);
  return values.every((value) => value <= max) ? values : null;
}

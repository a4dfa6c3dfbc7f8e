/**
 * Declared routes made ready to announce: each `RouteSpec` read once, at the door, into a key and attributes.
 *
 * Routes with the same attributes share one `RouteAttributes` (found by its text form), so that a comparison of two routes
 * is a comparison of two strings that are usually the same object, and packing is grouping.
 */

import { parseIpv4, parseIpv4Prefix } from "../net/ipv4.ts";
import { formatIpv6Prefix, type Ipv6Prefix, parseIpv6, parseIpv6Prefix } from "./ipv6-prefix.ts";
import type { LargeCommunity } from "./message.ts";
import { type PrefixKey, prefixKey } from "./nlri.ts";
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

/** Routes by prefix: IPv4 by number, IPv6 by canonical text. */
export interface RouteTable {
  readonly ipv4: ReadonlyMap<PrefixKey, RouteAttributes>;
  readonly ipv6: ReadonlyMap<string, Ipv6Route>;
  /** Declared routes that cannot be announced, each with the reason. */
  readonly refused: readonly string[];
}

export interface Ipv6Route {
  readonly prefix: Ipv6Prefix;
  readonly attributes: RouteAttributes;
}

export const NO_ROUTES: RouteTable = { ipv4: new Map(), ipv6: new Map(), refused: [] };

/** Of a prefix declared twice the last one counts. */
export function compileRoutes(routes: readonly RouteSpec[]): RouteTable {
  const ipv4 = new Map<PrefixKey, RouteAttributes>();
  const ipv6 = new Map<string, Ipv6Route>();
  const refused: string[] = [];
  const shared = new Map<string, RouteAttributes>();
  let before: RouteSpec | null = null;
  let attributes: RouteAttributes | string = "";
  for (const route of routes) {
    // Neighbours in a long list mostly share their lists as well: no need to spell out who they are.
    if (before === null || !sharesLists(before, route)) attributes = attributesOf(route, shared);
    before = route;
    const four = parseIpv4Prefix(route.prefix);
    const six = four === null ? parseIpv6Prefix(route.prefix) : null;
    if (typeof attributes === "string") refused.push(`${route.prefix}: ${attributes}`);
    else if (four !== null) {
      if (!isNextHop(route.nextHop, true)) refused.push(`${route.prefix}: next hop ${route.nextHop} is no address`);
      else ipv4.set(prefixKey(four), attributes);
    } else if (six === null) refused.push(`${route.prefix}: not a prefix`);
    else if (!isNextHop(route.nextHop, false)) refused.push(`${route.prefix}: next hop ${route.nextHop} is not IPv6`);
    else ipv6.set(formatIpv6Prefix(six), { prefix: six, attributes });
  }
  return { ipv4, ipv6, refused };
}

function sharesLists(left: RouteSpec, right: RouteSpec): boolean {
  return (
    left.nextHop === right.nextHop &&
    left.localPreference === right.localPreference &&
    left.med === right.med &&
    left.asPath === right.asPath &&
    left.communities === right.communities &&
    left.largeCommunities === right.largeCommunities
  );
}

/** An IPv4 route may have a next hop of either family (RFC 8950). */
function isNextHop(text: string, isIpv4Route: boolean): boolean {
  return text === NEXT_HOP_SELF || (isIpv4Route && parseIpv4(text) !== null) || parseIpv6(text) !== null;
}

function attributesOf(route: RouteSpec, shared: Map<string, RouteAttributes>): RouteAttributes | string {
  const identity = `${route.nextHop}|${route.asPath.join()}|${route.localPreference}|${route.communities.join()}|${route.largeCommunities.join()}|${route.med ?? null}`;
  const known = shared.get(identity);
  if (known !== undefined) return known;
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
  const attributes = { identity, nextHop, asPath, localPreference, communities, largeCommunities, med, example: route };
  shared.set(identity, attributes);
  return attributes;
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

/** Two declarations that say the same, so that what was made of one serves for the other. */
export function sameRoutes(left: readonly RouteSpec[], right: readonly RouteSpec[]): boolean {
  if (left === right) return true;
  return left.length === right.length && left.every((route, i) => sameRoute(route, right[i]!));
}

function sameRoute(left: RouteSpec, right: RouteSpec): boolean {
  return (
    left.prefix === right.prefix &&
    left.nextHop === right.nextHop &&
    left.localPreference === right.localPreference &&
    (left.med ?? null) === (right.med ?? null) &&
    sameList(left.asPath, right.asPath) &&
    sameList(left.communities, right.communities) &&
    sameList(left.largeCommunities, right.largeCommunities)
  );
}

function sameList<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((item, i) => item === right[i]);
}

/**
 * The five BGP messages as values: what the codec reads and writes, and what the FSM reacts to.
 *
 * Numbers are in host order. Absent attributes are `null` (or empty lists), so a whole `PathAttributes` can be compared
 * and copied without asking which keys exist.
 */
import type { Ipv4 } from "../net/ipv4.ts";
import type { Capability } from "./capability.ts";
import type { Ipv4Nlri, Ipv6Nlri } from "./nlri.ts";

export const MESSAGE_TYPES = { OPEN: 1, UPDATE: 2, NOTIFICATION: 3, KEEPALIVE: 4, "ROUTE-REFRESH": 5 } as const;

export const HEADER_BYTES = 19;
export const MAX_MESSAGE_BYTES = 4096;
/** RFC 8654, when both sides have the capability; never for OPEN and KEEPALIVE. */
export const MAX_EXTENDED_MESSAGE_BYTES = 65535;
/** RFC 6793: stands for a four-octet AS number where only two octets fit. */
export const AS_TRANS = 23456;

export interface Open {
  readonly type: "OPEN";
  readonly version: number;
  /** The two-octet field: AS_TRANS when the real number is in the four-octet-as capability. */
  readonly asn: number;
  readonly holdTimeSeconds: number;
  readonly routerId: Ipv4;
  readonly capabilities: readonly Capability[];
  /** How many capabilities each optional parameter holds; `null` when all are in one, which is how we write it. */
  readonly parameters: readonly number[] | null;
}

export type Origin = "IGP" | "EGP" | "INCOMPLETE";
export const ORIGINS: readonly Origin[] = ["IGP", "EGP", "INCOMPLETE"];

export type AsSegmentKind = "set" | "sequence" | "confed-sequence" | "confed-set";

export interface AsSegment {
  readonly kind: AsSegmentKind;
  readonly asns: readonly number[];
}

export interface Aggregator {
  readonly asn: number;
  readonly address: Ipv4;
}

/** MP_REACH_NLRI (RFC 4760 §3); next hops are text: the global one, then a link-local one if present. */
export type MpReach =
  | { readonly family: "ipv4"; readonly nextHops: readonly string[]; readonly nlri: Ipv4Nlri }
  | { readonly family: "ipv6"; readonly nextHops: readonly string[]; readonly nlri: Ipv6Nlri }
  /** A family that Sluice does not speak: everything after AFI and SAFI. */
  | { readonly family: "other"; readonly afi: number; readonly safi: number; readonly value: Uint8Array };

/** MP_UNREACH_NLRI (RFC 4760 §4). */
export type MpUnreach =
  | { readonly family: "ipv4"; readonly nlri: Ipv4Nlri }
  | { readonly family: "ipv6"; readonly nlri: Ipv6Nlri }
  | { readonly family: "other"; readonly afi: number; readonly safi: number; readonly value: Uint8Array };

export interface UnknownAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

export type LargeCommunity = readonly [global: number, local1: number, local2: number];

export interface PathAttributes {
  readonly origin: Origin | null;
  readonly asPath: readonly AsSegment[] | null;
  readonly nextHop: Ipv4 | null;
  readonly med: number | null;
  readonly localPreference: number | null;
  readonly atomicAggregate: boolean;
  readonly aggregator: Aggregator | null;
  readonly communities: readonly number[];
  readonly originatorId: Ipv4 | null;
  readonly clusterList: readonly Ipv4[];
  readonly mpReach: MpReach | null;
  readonly mpUnreach: MpUnreach | null;
  /** Eight octets each, RFC 4360. */
  readonly extendedCommunities: readonly Uint8Array[];
  readonly as4Path: readonly AsSegment[] | null;
  readonly as4Aggregator: Aggregator | null;
  /** Twenty octets each, RFC 5701. */
  readonly ipv6ExtendedCommunities: readonly Uint8Array[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** RFC 9234. */
  readonly onlyToCustomer: number | null;
  readonly unknown: readonly UnknownAttribute[];
  /**
   * Flags and type (one number, as on the wire) of each attribute in the order received, so that a message can be written
   * again octet by octet; `null` when order and flags are the ones that we write.
   */
  readonly layout: readonly number[] | null;
}

export const NO_ATTRIBUTES: PathAttributes = {
  origin: null,
  asPath: null,
  nextHop: null,
  med: null,
  localPreference: null,
  atomicAggregate: false,
  aggregator: null,
  communities: [],
  originatorId: null,
  clusterList: [],
  mpReach: null,
  mpUnreach: null,
  extendedCommunities: [],
  as4Path: null,
  as4Aggregator: null,
  ipv6ExtendedCommunities: [],
  largeCommunities: [],
  onlyToCustomer: null,
  unknown: [],
  layout: null,
};

export interface Update {
  readonly type: "UPDATE";
  readonly withdrawn: Ipv4Nlri;
  readonly attributes: PathAttributes;
  readonly nlri: Ipv4Nlri;
}

export interface Notification {
  readonly type: "NOTIFICATION";
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

interface Keepalive {
  readonly type: "KEEPALIVE";
}

export interface RouteRefresh {
  readonly type: "ROUTE-REFRESH";
  readonly afi: number;
  readonly safi: number;
  /** 0 request, 1 begin, 2 end (RFC 7313); others are ignored. */
  readonly subtype: number;
}

export type Message = Open | Update | Notification | Keepalive | RouteRefresh;

/** What the two OPENs settled about the encoding of everything after them. */
export interface WireSession {
  /** `"guess"` takes four octets where an AS_PATH fits them, else two: for reading captures without their OPENs. */
  readonly fourOctetAs: boolean | "guess";
  readonly addPathIpv4: boolean;
  readonly addPathIpv6: boolean;
  readonly extendedMessages: boolean;
  /** The peer is in another AS (eBGP): some attributes of an iBGP peer are then discarded when malformed. */
  readonly external: boolean;
  /** More than one family is up, so that a broken one can be given up alone instead of the whole session. */
  readonly severalFamilies: boolean;
  /** IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean;
}

/** Before the OPENs are exchanged. */
export const INITIAL_WIRE_SESSION: WireSession = {
  fourOctetAs: true,
  addPathIpv4: false,
  addPathIpv6: false,
  extendedMessages: false,
  external: true,
  severalFamilies: false,
  extendedNextHop: false,
};

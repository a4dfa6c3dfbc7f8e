/**
 * What the BGP speaker of one node is to do: the declarative input of the speaker. Applying the same spec twice does
 * nothing the second time; a changed spec disturbs only the sessions that it must. Plain data that can cross threads.
 */

import type { Role } from "./capability.ts";

/** One route to announce to one peer, as the peer is to see it. */
export interface RouteSpec {
  /** `192.0.2.1/32` or `2001:db8::1/128`. */
  readonly prefix: string;
  /**
   * An address, or `self`: our address on the session, where that is of the right family. An IPv4 route may have an IPv6
   * next hop where the session has agreed on it (RFC 8950).
   */
  readonly nextHop: string;
  /** The AS path as the peer receives it: `[65000]` on an eBGP session, `[]` on an iBGP one. */
  readonly asPath: readonly number[];
  /** Sent on iBGP sessions only; `null` leaves it to the default of 100. */
  readonly localPreference: number | null;
  /** `"65000:100"`, RFC 1997. */
  readonly communities: readonly string[];
  /** `"65000:1:2"`, RFC 8092. */
  readonly largeCommunities: readonly string[];
  /** MULTI_EXIT_DISC; none when left out. */
  readonly med?: number | null;
}

/** Liveness by BFD (RFC 5880): when it says down, the session ends at once. */
export interface BfdSpec {
  readonly transmitMilliseconds: number;
  readonly receiveMilliseconds: number;
  /** Packets missed in a row before the peer counts as gone. */
  readonly multiplier: number;
  /** Waits for the peer's first packet. */
  readonly passive?: boolean;
  /** Over several hops (RFC 5883): the least TTL that a packet of the peer may have; `null` or absent for one hop. */
  readonly minimumTtl?: number | null;
}

/** A peer whose address is found out, not configured. */
export type PeerDiscovery =
  /** The gateway of the node's default route. */
  | { readonly kind: "default-gateway"; readonly family: "ipv4" | "ipv6" }
  /** The router at the other end of an interface, by its link-local address. */
  | { readonly kind: "unnumbered"; readonly interfaceName: string };

export interface AddressFamily {
  readonly afi: "ipv4" | "ipv6";
  readonly safi: "unicast";
}

export interface PeerSpec {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** The AS number that the peer must send in its OPEN; 0 accepts any. */
  readonly asn: number;
  /** Source address of the TCP connection; `null` leaves it to the kernel. */
  readonly localAddress: string | null;
  readonly connectRetrySeconds: number;
  /** Proposed in OPEN; 0 or at least 3 (RFC 4271 §4.2). */
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  /** TTL of packets to an eBGP peer: 1 for one on the same link. */
  readonly ebgpMultihopTtl: number;
  /** TCP MD5 key (RFC 2385), at most 80 octets; `null` for none. Never logged. */
  readonly password: string | null;
  readonly families: readonly AddressFamily[];
  readonly gracefulRestartSeconds: number | null;
  readonly routes: readonly RouteSpec[];
  /** Waits for the peer to connect; the instance must have a port to listen on. */
  readonly passive?: boolean;
  /** GTSM (RFC 5082): the peer is at most this many hops away, and what comes from farther is dropped. */
  readonly ttlSecurityHops?: number | null;
  /** The interface of a link-local peer address. */
  readonly interfaceName?: string | null;
  /** In place of `address`, which is then ignored. */
  readonly discovery?: PeerDiscovery | null;
  /** Offer IPv4 routes with IPv6 next hops (RFC 8950). */
  readonly extendedNextHop?: boolean;
  /** What we are to the peer (RFC 9234), eBGP only. */
  readonly role?: Role | null;
  /** Refuse a peer that names no role. */
  readonly strictRole?: boolean;
  /** Keeps the session down; the peer is told this text (RFC 9003). */
  readonly shutdown?: string | null;
  /** Marks all routes as about to go (RFC 8326), so that the peer moves traffic away before it loses them. */
  readonly gracefulShutdown?: boolean;
  /** More received routes than this end the session. */
  readonly maxPrefixes?: number | null;
  /** Seconds that the peer may take nothing from us; by default the larger of 480 and twice the hold time (RFC 9687). */
  readonly sendHoldSeconds?: number | null;
  readonly bfd?: BfdSpec | null;
}

export interface InstanceSpec {
  readonly localAsn: number;
  /** Dotted quad. */
  readonly routerId: string;
  /** TCP port to accept sessions on; `null` opens none: the speaker connects only. */
  readonly listenPort: number | null;
  /** Addresses to accept sessions on; all of the node's when left out. */
  readonly listenAddresses?: readonly string[];
  readonly peers: readonly PeerSpec[];
}

export interface SpeakerSpec {
  readonly instances: readonly InstanceSpec[];
}

/** RFC 4271 §8.2.2. */
export type SessionState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

/** What is known of a session, for `sluice status`, metrics and events. */
export interface PeerStatus {
  readonly localAsn: number;
  readonly name: string;
  readonly address: string;
  readonly asn: number;
  readonly state: SessionState;
  /** Milliseconds since the epoch; `null` unless Established. */
  readonly establishedAtMilliseconds: number | null;
  /** When it was Established last, or was configured; `null` while Established. */
  readonly downSinceMilliseconds: number | null;
  readonly holdTimeSeconds: number | null;
  readonly routesAdvertised: number;
  readonly routesReceived: number;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly timesEstablished: number;
  /** The last thing that ended or prevented the session, in words; `null` when nothing has. */
  readonly lastError: string | null;
  /** What to do about `lastError`, where that is known. */
  readonly hint: string | null;
  /** `null` without BFD. */
  readonly bfd: BfdState | null;
}

/** RFC 5880 §4.1, by number. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;
export type BfdState = (typeof BFD_STATES)[number];

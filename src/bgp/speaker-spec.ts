/**
 * What the BGP speaker of one node is to do: the declarative input of the speaker. Applying the same spec twice does
 * nothing the second time; a changed spec disturbs only the sessions that it must. Plain data that can cross threads.
 */

/** One route to announce to one peer, as the peer is to see it. */
export interface RouteSpec {
  /** `192.0.2.1/32` or `2001:db8::1/128`. */
  readonly prefix: string;
  readonly nextHop: string;
  /** The AS path as the peer receives it: `[65000]` on an eBGP session, `[]` on an iBGP one. */
  readonly asPath: readonly number[];
  /** Sent on iBGP sessions only; `null` leaves it to the default of 100. */
  readonly localPreference: number | null;
  /** `"65000:100"`, RFC 1997. */
  readonly communities: readonly string[];
  /** `"65000:1:2"`, RFC 8092. */
  readonly largeCommunities: readonly string[];
}

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
}

export interface InstanceSpec {
  readonly localAsn: number;
  /** Dotted quad. */
  readonly routerId: string;
  /** TCP port to accept sessions on; `null` opens none: the speaker connects only. */
  readonly listenPort: number | null;
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
  readonly holdTimeSeconds: number | null;
  readonly routesAdvertised: number;
  readonly routesReceived: number;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly timesEstablished: number;
  /** The last thing that ended or prevented the session, in words; `null` when nothing has. */
  readonly lastError: string | null;
}

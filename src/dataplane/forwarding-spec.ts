/**
 * What the datapath of one node is to forward: the declarative input from which `ForwardingTable` is built. Control
 * computes it from the Intent; `sluice replay` reads it from a scenario. Plain data, so it can be logged and compared.
 */
import type { IpAddress, IpPrefix } from "../net/ip-address.ts";

export type TransportProtocol = "TCP" | "UDP" | "SCTP";

/** One backend of a VIP. Identified by address and port, never by its place in a list. */
export interface BackendSpec {
  readonly address: IpAddress;
  readonly port: number;
  /** Share of new flows relative to its siblings; 0 takes none. */
  readonly weight: number;
  /** A draining backend keeps its flows and takes no new ones. */
  readonly draining: boolean;
}

/** One served address, port and protocol. */
export interface VipSpec {
  /** `namespace/name` of the Service, for people and counters. */
  readonly service: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly protocol: TransportProtocol;
  readonly backends: readonly BackendSpec[];
  /** One client keeps one backend (ClientIP), on all ports of the Service. */
  readonly affinity: boolean;
  /** Who may come in: `null` for everybody. */
  readonly sources: SourceRanges | null;
  readonly sourceNat: SourceNat;
}

/**
 * Whose address the backends see as the flow's source. `none`: the client's. `node`: the gateway's. `hairpin`: the
 * gateway's where the client is the backend itself. `remote`: the gateway's where a gateway in front of its own stack
 * sends to a backend that is not behind that, and where the client is the backend.
 */
export type SourceNat = "none" | "node" | "hairpin" | "remote";

/** Clients that may come in, or that may not. */
export interface SourceRanges {
  readonly action: "allow" | "deny";
  readonly ranges: readonly IpPrefix[];
}

/** An address this node owns: it takes all traffic to it, and may answer ARP or Neighbor Solicitations for it. */
export interface OwnedAddress {
  readonly address: IpAddress;
  /** Interfaces on which ARP or NDP is answered: `"all"`, or their names (none: a BGP-only address). */
  readonly answerOn: "all" | readonly string[];
}

export interface ForwardingSpec {
  readonly vips: readonly VipSpec[];
  readonly owned: readonly OwnedAddress[];
  /** Slots of each Maglev lookup table: a prime, one of Cilium's sizes. */
  readonly maglevTableSize: number;
  /**
   * What becomes of a TCP segment that is not a SYN and belongs to no known flow. `false`: the backend that Maglev says
   * takes it, so a flow survives when routers move it to another node. `true`: dropped.
   */
  readonly strictSyn: boolean;
  /** A VIP without a backend refuses (RST, ICMP port unreachable) rather than staying silent. */
  readonly rejectWithoutBackend: boolean;
  /** Fragments are followed to the flow of their first one; `false` drops them. */
  readonly trackFragments: boolean;
  /** Source ports for source NAT, both ends included. */
  readonly sourcePorts: readonly [first: number, last: number];
}

/** Above Linux' own range for clients (ip_local_port_range) and Kubernetes' NodePorts, whatever these are set to. */
export const DEFAULT_SOURCE_PORTS: readonly [number, number] = [61_000, 65_535];

export const EMPTY_FORWARDING_SPEC: ForwardingSpec = {
  vips: [],
  owned: [],
  maglevTableSize: 16381,
  strictSyn: false,
  rejectWithoutBackend: true,
  trackFragments: true,
  sourcePorts: DEFAULT_SOURCE_PORTS,
};

/**
 * What the datapath of one node is to forward: the declarative input from which `ForwardingTable` is built. Control
 * computes it from the Intent; `sluice replay` reads it from a scenario. Plain data, so it can be logged and compared.
 */
import type { IpAddress, IpPrefix } from "../net/ip-address.ts";

export type TransportProtocol = "TCP" | "UDP" | "SCTP";

/**
 * How requests reach the backend. "nat": translated, and replies come back through us. The others are direct server
 * return, the backend's side answers the client itself: told whom to answer for by an IP option ("dsr-opt") or a Geneve
 * option ("dsr-geneve"); sent the untouched packet in a tunnel ("dsr-ipip", "dsr-gue") or over the same link ("dsr-l2").
 */
export type ForwardingMode = "nat" | "dsr-opt" | "dsr-ipip" | "dsr-gue" | "dsr-geneve" | "dsr-l2";

/** How a new flow finds its backend: balancing.ts. */
export type Balancing = "maglev" | "random" | "least-connections";

/** As in Kubernetes. */
export const DEFAULT_AFFINITY_SECONDS = 10_800;

/** One backend of a VIP. Identified by address and port, never by its place in a list. */
export interface BackendSpec {
  readonly address: IpAddress;
  readonly port: number;
  /** Share of new flows relative to its siblings; 0 takes none. */
  readonly weight: number;
  /** A draining backend keeps its flows and takes no new ones. */
  readonly draining: boolean;
  /**
   * Address of the node that takes tunnels for the backend; `null` when the backend does so itself. A backend whose node
   * has one of our own tunnel addresses is local: it gets NAT, whatever the mode.
   */
  readonly node: IpAddress | null;
}

/** One served address, port and protocol. */
export interface VipSpec {
  /** `namespace/name` of the Service, for people and counters. */
  readonly service: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly protocol: TransportProtocol;
  readonly mode: ForwardingMode;
  readonly backends: readonly BackendSpec[];
  /** How new flows find a backend; by default by Maglev. */
  readonly balancing?: Balancing;
  /** One client keeps one backend (ClientIP), on all ports of the Service, */
  readonly affinity: boolean;
  /** as long as its last new flow is no longer ago: seconds, by default Kubernetes' three hours. */
  readonly affinitySeconds?: number;
  /** Who may come in: `null` for everybody. */
  readonly sources: SourceRanges | null;
  readonly sourceNat: SourceNat;
  /** Names of the policies that are asked about its new flows. */
  readonly policies: readonly string[];
}

/**
 * Whose address the backends see as the flow's source. `none`: the client's. `node`: the gateway's. `hairpin`: the
 * gateway's where the client is the backend itself. `remote`: the gateway's where a gateway in front of its own stack
 * sends to a backend that is not behind that, and where the client is the backend. Clients behind the gateway's own
 * stack, the node itself and its pods, are always seen as the gateway: replies would not come back otherwise.
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

/** What the node needs for direct server return, sending and receiving. */
export interface DsrSpec {
  /** Our ends of tunnels: sources of what we send, destinations of what we take. `null`: none in that family. */
  readonly tunnel4: IpAddress | null;
  readonly tunnel6: IpAddress | null;
  /** Who may send us tunnels: nobody else's are ever opened. */
  readonly peers: readonly { readonly address: IpAddress; readonly prefixLength: number }[];
  readonly guePort: number;
  readonly genevePort: number;
  /** Network identifier in Geneve; Cilium's identity of the world outside is 2. */
  readonly vni: number;
  /** Of the IPv4 option: Cilium's is little-endian. */
  readonly optionByteOrder: "little" | "network";
}

export const NO_DSR: DsrSpec = {
  tunnel4: null,
  tunnel6: null,
  peers: [],
  guePort: 6080,
  genevePort: 6081,
  vni: 2,
  optionByteOrder: "little",
};

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
  /** Source ports for source NAT. */
  readonly sourcePorts: readonly PortRange[];
  readonly dsr: DsrSpec;
}

/** Both ends included. */
export type PortRange = readonly [first: number, last: number];

/** All but the well-known ports, Kubernetes' NodePorts (30000-32767) and Linux' own for clients (ip_local_port_range). */
export const DEFAULT_SOURCE_PORTS: readonly PortRange[] = [
  [1024, 29_999],
  [61_000, 65_535],
];

export const EMPTY_FORWARDING_SPEC: ForwardingSpec = {
  vips: [],
  owned: [],
  maglevTableSize: 16381,
  strictSyn: false,
  rejectWithoutBackend: true,
  trackFragments: true,
  sourcePorts: DEFAULT_SOURCE_PORTS,
  dsr: NO_DSR,
};

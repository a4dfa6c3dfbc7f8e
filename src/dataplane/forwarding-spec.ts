/**
 * What the datapath of one node is to forward: the declarative input from which `ForwardingTable` is built. Control
 * computes it from the Intent; `sluice replay` reads it from a scenario. Plain data, so it can be logged and compared.
 */
import type { Ipv4 } from "../net/ipv4.ts";

export type TransportProtocol = "TCP" | "UDP" | "SCTP";

/** One backend of a VIP. Identified by address and port, never by its place in a list. */
export interface BackendSpec {
  readonly address: Ipv4;
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
  readonly address: Ipv4;
  readonly port: number;
  readonly protocol: TransportProtocol;
  readonly backends: readonly BackendSpec[];
}

/** An address this node owns: it takes all traffic to it, and may answer ARP for it. */
export interface OwnedAddress {
  readonly address: Ipv4;
  /** Interfaces on which ARP is answered: `"all"`, or their names (none: a BGP-only address). */
  readonly arpInterfaces: "all" | readonly string[];
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
}

export const EMPTY_FORWARDING_SPEC: ForwardingSpec = { vips: [], owned: [], maglevTableSize: 16381, strictSyn: false };

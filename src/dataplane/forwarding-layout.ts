/** Where what stands in the columns of a forwarding table (forwarding-table.ts draws them), for who builds and who reads. */
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { DsrKind } from "./egress.ts";
import type { Balancing, ForwardingMode, SourceNat, TransportProtocol } from "./forwarding-spec.ts";

export const VIP_WORDS = 14;
export const VIP_FIRST = 1;
export const VIP_COUNT = 2;
export const VIP_MAGLEV = 3;
export const VIP_FLAGS = 4;
export const VIP_RANGES = 5;
export const VIP_MODE = 7;
export const VIP_MEMBERS = 8;
export const VIP_POLICIES = 9;
export const VIP_SERVICE = 10;
export const VIP_AFFINITY = 11;
export const VIP_BALANCING = 12;
/** Where in `former` its words are, or -1. */
export const VIP_FORMER = 13;
/** Flags of VIPs. */
export const FLAG_RESTRICTED = 1 << 0;
export const FLAG_DENY = 1 << 1;
export const SOURCE_NAT_SHIFT = 8;
export const RANGE_WORDS = ADDRESS_WORDS + 1;
export const BACKEND_TUNNEL = ADDRESS_WORDS + 2;
export const BACKEND_FLAGS = BACKEND_TUNNEL + ADDRESS_WORDS;
export const BACKEND_WEIGHT = BACKEND_FLAGS + 1;
export const BACKEND_WORDS = BACKEND_WEIGHT + 1;
/** Flags of backends. */
export const FLAG_LOCAL = 1 << 0;
export const FLAG_TAKES_NEW = 1 << 1;
export const INDEX_WORDS = ADDRESS_WORDS + 2;

/** `SourceNat` as numbers. */
export const SOURCE_NAT: Readonly<Record<SourceNat, number>> = { none: 0, node: 1, hairpin: 2, remote: 3 };

export const PROTOCOL_NUMBER: Readonly<Record<TransportProtocol, number>> = {
  TCP: PROTOCOL_TCP,
  UDP: PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
};

/** How a VIP chooses backends, as numbers. */
export const BALANCING: Readonly<Record<Balancing, number>> = { maglev: 0, random: 1, "least-connections": 2 };

/** A VIP's mode is one of these, or the DsrKind of its requests. */
export const MODE_NAT = -1;
export const MODE_NUMBER: Readonly<Record<ForwardingMode, number>> = {
  nat: MODE_NAT,
  "dsr-opt": DsrKind.Option,
  "dsr-ipip": DsrKind.Ipip,
  "dsr-gue": DsrKind.Gue,
  "dsr-geneve": DsrKind.Geneve,
  "dsr-l2": DsrKind.Link,
};

export const NO_BACKEND = -1;

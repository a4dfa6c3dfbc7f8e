/**
 * How the frames of a flow's direction leave, as one word of its row:
 *
 *   | neighbour index 16 | DSR kind 3 | actions 5 | port 8 |
 */

/** Leave by the pair of the port that the frame came in by; the port field is not used. */
export const EGRESS_PAIR = 1 << 8;
/** The MACs are right already: the node's own stack has routed the frame. */
export const EGRESS_KEEP_MAC = 1 << 9;
/** We are the router: the TTL falls by one. */
export const EGRESS_DECREMENT_TTL = 1 << 10;
/** A frame whose TTL ends here must not go on, whoever decrements it next. */
export const EGRESS_CHECK_TTL = 1 << 11;

/** Not plain NAT: what else is to be done says the kind, three bits beside it. */
export const EGRESS_DSR = 1 << 12;

export const DsrKind = {
  /** Sending: the served address goes into an option of the IP header. */
  Option: 0,
  Ipip: 1,
  Gue: 2,
  Geneve: 3,
  /** Nothing but MACs changes. */
  Link: 4,
  /** Receiving, at the backend's node: an option is taken out. */
  Received: 5,
  /**
   * Sending by the VIP's mode what may be another backend's connection, or is (mid-flow.ts): each segment says whom it is for
   * where this node knows. Never left to the kernel.
   */
  Asking: 6,
} as const;

export const EGRESS_PORT = 0xff;
export const EGRESS_NEIGHBOR_SHIFT = 16;
const EGRESS_DSR_KIND_SHIFT = 13;

export function dsrKind(egress: number): number {
  return (egress >>> EGRESS_DSR_KIND_SHIFT) & 7;
}

/** The action bits of a DSR flow. */
export function dsrActions(kind: number): number {
  return EGRESS_DSR | (kind << EGRESS_DSR_KIND_SHIFT);
}

/** Whether a row's requests go to another node or machine, whose replies we never see. */
export function sendsDsr(egress: number): boolean {
  return (egress & EGRESS_DSR) !== 0 && dsrKind(egress) !== DsrKind.Received;
}

/** Whether a row's requests are those of another node to a pod here. */
export function receivesDsr(egress: number): boolean {
  return (egress & EGRESS_DSR) !== 0 && dsrKind(egress) === DsrKind.Received;
}

export function egressWord(port: number, neighbor: number, actions: number): number {
  return (neighbor << EGRESS_NEIGHBOR_SHIFT) | actions | port;
}

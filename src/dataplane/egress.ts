/**
 * How the frames of a flow's direction leave, as one word of its row:
 *
 *   | neighbour index 16 | actions 8 | port 8 |
 */

/** Leave by the pair of the port that the frame came in by; the port field is not used. */
export const EGRESS_PAIR = 1 << 8;
/** The MACs are right already: the node's own stack has routed the frame. */
export const EGRESS_KEEP_MAC = 1 << 9;
/** We are the router: the TTL falls by one. */
export const EGRESS_DECREMENT_TTL = 1 << 10;
/** A frame whose TTL ends here must not go on, whoever decrements it next. */
export const EGRESS_CHECK_TTL = 1 << 11;

export const EGRESS_PORT = 0xff;
export const EGRESS_NEIGHBOR_SHIFT = 16;

export function egressWord(port: number, neighbor: number, actions: number): number {
  return (neighbor << EGRESS_NEIGHBOR_SHIFT) | actions | port;
}

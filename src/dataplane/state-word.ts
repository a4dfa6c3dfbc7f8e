/**
 * The state word of a flow's row: what its direction has shown, and what was noted when the flow opened.
 *
 *   | policy or clock 8 | opened 14 | WATCHED 1 | CLOSED_FIRST 1 | flags 8 |
 *
 * Flags and CLOSED_FIRST change while the flow lives, by atomic operations of workers and programs; the rest is written
 * before the row is published, or by the worker that opened the flow. Policy and WATCHED are those of a request's row,
 * the clock is a reply's (client-clock.ts).
 *
 * `opened` is a part of the second in which the row was claimed: its low 14 bits in a request's row, the next 14 in a
 * reply's. So the age of a flow with both rows is exact for eight years, of one without replies for four and a half hours.
 */

/** TCP flags, or what SCTP's chunks mean in those words. */
export const STATE_FLAGS = 0xff;
/** Set in the row of the direction that was the first to close: the host behind it keeps the TIME-WAIT (RFC 9293 §3.6). */
export const STATE_CLOSED_FIRST = 1 << 8;
/** All frames of the flow are to be seen by those who watch, so it is never left to the kernel. */
export const STATE_WATCHED = 1 << 9;
/** Where the number of the policy is that decided about the flow, from 1; 0 for none. */
export const STATE_POLICY_SHIFT = 24;

/** Where the clock of a translated client is. */
export const STATE_CLOCK_SHIFT = 24;

const OPENED_SHIFT = 10;
const OPENED_BITS = 14;
const OPENED_MASK = (1 << OPENED_BITS) - 1;

/** The word of a row that is claimed at this second. */
export function stateOfNewRow(now: number, isReply: boolean): number {
  return ((isReply ? now >>> OPENED_BITS : now) & OPENED_MASK) << OPENED_SHIFT;
}

/** How old a flow is by its rows' words, seconds. @param reply `null` where it has no such row. */
export function ageSeconds(request: number, reply: number | null, now: number): number {
  const low = (request >>> OPENED_SHIFT) & OPENED_MASK;
  if (reply === null) return (now - low) & OPENED_MASK;
  const high = (reply >>> OPENED_SHIFT) & OPENED_MASK;
  return (now - (low | (high << OPENED_BITS))) & ((1 << (2 * OPENED_BITS)) - 1);
}

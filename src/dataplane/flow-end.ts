/** The end of one flow: both rows are withdrawn, and noted first where somebody wants to know (flow-end-log.ts). */
import { lastSeen } from "./flow-state.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";

export const FLOW_END_REASONS = [
  /** Both sides have closed; or the client begins again where it can't be seen whether they have. */
  "closed",
  /** A RST was the last that was heard. */
  "reset",
  /** Nothing was heard for longer than its state allows. */
  "silent",
  /** The table was full, and nobody had answered it. */
  "evicted",
  /** Its VIP or its backend is no longer configured. */
  "unserved",
  /** A policy has changed and wants to be asked again. */
  "asked-again",
] as const;
export type FlowEndReason = (typeof FLOW_END_REASONS)[number];

/** The number of each reason. */
export const FlowEnd = {
  closed: 0,
  reset: 1,
  silent: 2,
  evicted: 3,
  unserved: 4,
  askedAgain: 5,
} as const;
export type FlowEnd = (typeof FlowEnd)[keyof typeof FlowEnd];

/**
 * @param row either row of the flow. @param peer the other one, or `NO_ROW`.
 * @returns whether this call ended the flow: false when another thread did, or for a reply row that was left alone.
 */
export function endFlow(flows: FlowTable, row: number, peer: number, reason: FlowEnd, now: number): boolean {
  const request = flows.isReply(row) ? peer : row;
  const reply = flows.isReply(row) ? row : peer;
  const seen = lastSeen(flows, row, peer);
  const isEnded = request !== NO_ROW && flows.withdraw(request, now);
  // A withdrawn row keeps its words for two seconds, longer than this takes.
  if (isEnded && flows.ends !== null) flows.ends.note(flows, request, reply, reason, seen);
  if (reply !== NO_ROW) flows.withdraw(reply, now);
  return isEnded;
}

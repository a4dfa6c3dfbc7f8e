/**
 * The state of a flow, and how long it may be silent in it. The state is not stored: it follows from the flags that each
 * direction has shown so far (flow-tracking.ts keeps them) and, for UDP, from whether any reply has been seen.
 *
 *   opening       a SYN or an INIT, and not yet both sides' word that they have heard each other
 *   established   both sides have: also after a simultaneous open (RFC 9293 §3.5), and of flows picked up in their middle
 *   half-closed   one side has sent its FIN and may still be sent to, as long as it takes
 *   closed        both have; the rows stay for the TIME-WAIT of whoever closed first, so nobody gets the ports too early
 *   reset         a RST was seen on an established flow. It may be forged, so nothing ends at once (RFC 7857 §2.2); the
 *                 next frame of the side that is said to have sent it brings the flow back
 */
import { PROTOCOL_SCTP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ACK, FIN, PSH, RST } from "../wire/transport.ts";
import { EGRESS_DSR } from "./egress.ts";
import { type FlowTable, NO_ROW, TAG_PROTOCOL } from "./flow-table.ts";

const FLOW_STATES = ["opening", "established", "half-closed", "closed", "reset", "replied", "unreplied"] as const;
export type FlowState = (typeof FLOW_STATES)[number];

/** Seconds of silence after which a flow ends. */
const TIMEOUT_SECONDS: Readonly<Record<FlowState, number>> = {
  opening: 60,
  /** RFC 5382 REQ-5 asks for 2 h 4 min at least; Cilium's default is 8000 s. */
  established: 8000,
  /** RFC 5382 REQ-5, transitory: 4 min. */
  "half-closed": 240,
  /** As long as Linux stays in TIME-WAIT. */
  closed: 60,
  /** RFC 7857 §2.2: 4 min. */
  reset: 240,
  /** RFC 4787 REQ-5: 2 min. */
  replied: 120,
  unreplied: 30,
};
/** An association that lives sends a HEARTBEAT every 30 s, so it need not be believed as long (RFC 9260 §8.3). */
const SCTP_ESTABLISHED_SECONDS = 210;

/** Linux sends a SYN-ACK and repeats it five times (tcp_synack_retries). */
const SYN_ACK_ATTEMPTS = 6;

/** The state of a flow by what its two rows have seen; `reply` is NO_ROW when that row is gone. */
export function flowState(flows: FlowTable, request: number, reply: number): FlowState {
  const { words, layout } = flows;
  const isDsr = (words[request + layout.egress]! & EGRESS_DSR) !== 0;
  if ((words[request + layout.tag]! & TAG_PROTOCOL) === PROTOCOL_UDP) {
    return isDsr || hasReplied(flows, reply) ? "replied" : "unreplied";
  }
  const there = words[request + layout.state]!;
  const back = reply === NO_ROW ? 0 : words[reply + layout.state]!;
  const established = isDsr ? oneWayEstablished(flows, there, back, reply) : (there & back & ACK) !== 0;
  if ((there & back & FIN) !== 0) return "closed";
  if (((there | back) & RST) !== 0) return established ? "reset" : "opening";
  if (((there | back) & FIN) !== 0) return "half-closed";
  return established ? "established" : "opening";
}

/**
 * Of a DSR flow each node sees one direction in full at best. The sender sees no reply: the client's ACK says that there
 * was one. The receiver may see of the requests only those with an option; the backend's replies then tell, when it has
 * said more than SYN-ACK.
 */
function oneWayEstablished(flows: FlowTable, there: number, back: number, reply: number): boolean {
  if (((there & ACK) | (back & PSH)) !== 0) return true;
  return reply !== NO_ROW && flows.words[reply + flows.layout.packets]! > SYN_ACK_ATTEMPTS;
}

function hasReplied({ words, layout }: FlowTable, reply: number): boolean {
  return reply !== NO_ROW && (words[reply + layout.packets]! | words[reply + layout.packets + 1]!) !== 0;
}

/** A client repeats its SYN after a second (RFC 6298 §2.1): one that is older was not answered. */
const UNANSWERED_SECONDS = 1;

/**
 * Whether a flow may end where another one needs its addresses and ports towards the backend: the same client has come from
 * the same port by another VIP. One that both sides have closed, and one that has not come about; never one that may still
 * be in use, however silent.
 */
export function givesWay(flows: FlowTable, request: number, reply: number, now: number): boolean {
  const state = flowState(flows, request, reply);
  return state === "closed" || (state === "opening" && now - lastSeen(flows, request, reply) >= UNANSWERED_SECONDS);
}

/** When the flow of a row was heard of last, seconds. @param peer the flow's other row, or `NO_ROW`. */
export function lastSeen({ words, layout }: FlowTable, row: number, peer: number): number {
  const own = words[row + layout.lastSeen]!;
  return peer === NO_ROW ? own : Math.max(own, words[peer + layout.lastSeen]!);
}

export function timeoutSeconds(protocol: number, state: FlowState): number {
  if (protocol === PROTOCOL_SCTP && state === "established") return SCTP_ESTABLISHED_SECONDS;
  return TIMEOUT_SECONDS[state];
}

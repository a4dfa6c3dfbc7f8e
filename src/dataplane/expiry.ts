/**
 * The end of flows: rows that have been silent too long are withdrawn, a bounded number of rows per tick.
 *
 * The state of a flow is not stored; it follows from the TCP flags that each direction has shown so far and from whether
 * the reply direction has seen any packet. One thread sweeps (the main thread); workers only open and reopen.
 */
import { PROTOCOL_SCTP, PROTOCOL_TCP } from "../wire/ipv4.ts";
import { ACK, FIN, PSH, RST } from "../wire/transport.ts";
import { EGRESS_DSR } from "./egress.ts";
import { type FlowTable, NO_ROW, TAG_PROTOCOL } from "./flow-table.ts";

/** Seconds of silence after which a flow ends. */
export const TIMEOUT_SECONDS = {
  /** Handshake not finished, or one direction only. */
  tcpOpening: 60,
  /** RFC 5382 REQ-5 asks for 2 h 4 min at least; Cilium's default is 8000 s. */
  tcpEstablished: 8000,
  /** One side has closed: RFC 5382 REQ-5, transitory, 4 min. */
  tcpHalfClosed: 240,
  /** Both have, or one has reset: what the other side may still retransmit fits in. */
  tcpClosed: 60,
  /** RFC 4787 REQ-5: 2 min. */
  udpReplied: 120,
  udpUnreplied: 30,
  sctpReplied: 210,
  sctpUnreplied: 60,
} as const;

/** Linux sends a SYN-ACK and repeats it five times (tcp_synack_retries). */
const SYN_ACK_ATTEMPTS = 6;

export const FLOW_STATES = ["opening", "established", "half-closed", "closed", "replied", "unreplied"] as const;
export type FlowState = (typeof FLOW_STATES)[number];

/** The state of a flow by what its two rows have seen; `reply` is NO_ROW when that row is gone. */
export function flowState(flows: FlowTable, request: number, reply: number): FlowState {
  const { words, layout } = flows;
  const egress = words[request + layout.egress]!;
  if ((egress & EGRESS_DSR) !== 0) return oneWayState(flows, request, reply);
  const replied = reply !== NO_ROW && (words[reply + layout.packets]! | words[reply + layout.packets + 1]!) !== 0;
  if ((words[request + layout.tag]! & TAG_PROTOCOL) !== PROTOCOL_TCP) return replied ? "replied" : "unreplied";
  const there = words[request + layout.state]!;
  const back = reply === NO_ROW ? 0 : words[reply + layout.state]!;
  if (((there | back) & RST) !== 0 || (there & back & FIN) !== 0) return "closed";
  if (((there | back) & FIN) !== 0) return "half-closed";
  return (there & back & ACK) !== 0 ? "established" : "opening";
}

/**
 * Of a DSR flow each node sees one direction in full at best. The sender sees no reply: the client's ACK says that there
 * was one. The receiver may see of the requests only those with an option; the backend's replies then tell, when it has
 * said more than SYN-ACK.
 */
function oneWayState(flows: FlowTable, request: number, reply: number): FlowState {
  const { words, layout } = flows;
  if ((words[request + layout.tag]! & TAG_PROTOCOL) !== PROTOCOL_TCP) return "replied";
  const there = words[request + layout.state]!;
  const back = reply === NO_ROW ? 0 : words[reply + layout.state]!;
  if (((there | back) & RST) !== 0 || (there & back & FIN) !== 0) return "closed";
  if (((there | back) & FIN) !== 0) return "half-closed";
  if ((there & ACK) !== 0) return "established";
  const spoke = (back & PSH) !== 0 || (reply !== NO_ROW && words[reply + layout.packets]! > SYN_ACK_ATTEMPTS);
  return spoke ? "established" : "opening";
}

export function timeoutSeconds(protocol: number, state: FlowState): number {
  switch (state) {
    case "opening":
      return TIMEOUT_SECONDS.tcpOpening;
    case "established":
      return TIMEOUT_SECONDS.tcpEstablished;
    case "half-closed":
      return TIMEOUT_SECONDS.tcpHalfClosed;
    case "closed":
      return TIMEOUT_SECONDS.tcpClosed;
    case "replied":
      return protocol === PROTOCOL_SCTP ? TIMEOUT_SECONDS.sctpReplied : TIMEOUT_SECONDS.udpReplied;
    case "unreplied":
      return protocol === PROTOCOL_SCTP ? TIMEOUT_SECONDS.sctpUnreplied : TIMEOUT_SECONDS.udpUnreplied;
  }
}

/** Goes round the table, a part of it at each call. */
export class FlowExpiry {
  readonly #flows: FlowTable;
  #next = 0;

  constructor(flows: FlowTable) {
    this.#flows = flows;
  }

  /** @param part of the table to look over, 0..1. @returns how many flows ended. */
  tick(part: number, now: number): number {
    const flows = this.#flows;
    const rows = Math.ceil(part * flows.capacity);
    let ended = 0;
    for (let visited = 0; visited < rows; visited++) {
      const row = this.#next * flows.layout.words;
      this.#next = this.#next + 1 === flows.capacity ? 0 : this.#next + 1;
      if (!flows.isLive(row)) continue;
      const peer = flows.peer(row);
      // A flow is judged once, at its request row; a reply row without one is judged alone.
      if (flows.isReply(row) && peer !== NO_ROW) continue;
      if (
        now - lastSeen(flows, row, peer) <
        timeoutSeconds(flows.words[row + flows.layout.tag]! & TAG_PROTOCOL, flowState(flows, row, peer))
      ) {
        continue;
      }
      if (flows.withdraw(row, now)) ended++;
      if (peer !== NO_ROW) flows.withdraw(peer, now);
    }
    return ended;
  }
}

/**
 * Ends all flows whose VIP or backend is gone, in one round of the table (26 ms for a million flows).
 * @param isGone asked with the two ids in the row's owner word.
 */
export function withdrawOwned(
  flows: FlowTable,
  isGone: (vipId: number, backendId: number) => boolean,
  now: number,
): number {
  let ended = 0;
  for (let row = 0; row < flows.words.length; row += flows.layout.words) {
    if (!flows.isLive(row)) continue;
    const owner = flows.words[row + flows.layout.owner]!;
    if (!isGone(owner >>> 16, owner & 0xffff)) continue;
    if (flows.withdraw(row, now) && !flows.isReply(row)) ended++;
  }
  return ended;
}

function lastSeen(flows: FlowTable, row: number, peer: number): number {
  const own = flows.words[row + flows.layout.lastSeen]!;
  return peer === NO_ROW ? own : Math.max(own, flows.words[peer + flows.layout.lastSeen]!);
}

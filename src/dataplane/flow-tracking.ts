/**
 * What the frames of a flow say about its state: each direction's row keeps the flags that it has shown. Only frames that
 * say something new come here, a handful per flow; the forwarder tells them by one comparison (`isNews`).
 *
 * SCTP's chunks are read as the TCP flags that mean the same (wire/sctp.ts), so both have one set of states.
 *
 * Each row's flags are changed by atomic operations: a direction may change its queue in the middle of a flow, and the
 * kernel adds those of the frames that it forwards (it leaves all frames of a row with a RST to us).
 */
import { carriesDsrOption } from "../wire/dsr-option.ts";
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { ACK, FIN, PSH, RST, SYN } from "../wire/transport.ts";
import { isDirectAnswer } from "./direct-answer.ts";
import { DropReason } from "./drop-reason.ts";
import { namesAnotherVip } from "./dsr-receive.ts";
import { DsrKind, dsrKind, receivesDsr, sendsDsr } from "./egress.ts";
import { reopenFlow } from "./first-frame.ts";
import { refuse } from "./flow-rows.ts";
import { flowState, givesWay, lastSeen } from "./flow-state.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";
import { handedOverAt, NEVER } from "./hand-on.ts";
import { offloadBegun, offloadEstablished } from "./offload.ts";
import type { Pipeline } from "./pipeline.ts";
import { limitSegmentSize } from "./segment-size.ts";
import { STATE_CLOSED_FIRST, STATE_FLAGS } from "./state-word.ts";

/** Longer than a host waits before it sends again what got lost at the end of a connection. */
const SILENT_SECONDS = 3;

/**
 * Whether a frame's flags say what its row's state does not: flags that it lacks, a flow that lives after its RST, whatever comes
 * after a FIN, or one of the flags that change a state.
 */
export function isNews(state: number, flags: number): boolean {
  return (((state & (flags | RST)) ^ flags) | (flags & (SYN | FIN | RST)) | (state & FIN)) !== 0;
}

/**
 * @returns the row to forward by: a new one where the frame opens the flow anew; `NO_ROW` when it has been dropped or
 * passed.
 */
export function trackFlags(pipeline: Pipeline, i: number, isIpv4: boolean, known: number, flags: number): number {
  const flows = pipeline.flowsOf(isIpv4);
  const { batch } = pipeline;
  const { words, layout } = flows;
  if (isDirectAnswer(flows, known, flags)) {
    flows.withdraw(known, pipeline.now);
    pipeline.pass(i, DropReason.NotOurAddress);
    return NO_ROW;
  }
  const mayBegin = (flags & (SYN | ACK)) === SYN && !flows.isReply(known);
  const row = mayBegin ? beginAgain(pipeline, i, isIpv4, known) : beginInMiddle(pipeline, i, isIpv4, known, flags);
  if (row === NO_ROW) return NO_ROW;
  const state = row + layout.state;
  if ((flags & SYN) !== 0 && batch.protocol[i] === PROTOCOL_TCP) limitSegmentSize(pipeline, i, isIpv4, row);
  if ((flags & FIN) !== 0 && (words[state]! & FIN) === 0) {
    const peer = flows.peer(row);
    if (peer === NO_ROW || (words[peer + layout.state]! & FIN) === 0) Atomics.or(words, state, STATE_CLOSED_FIRST);
  }
  // Who has sent a RST has nothing more to say: somebody else did.
  if ((flags & RST) === 0 && (words[state]! & RST) !== 0) Atomics.and(words, state, ~RST);
  if ((words[state]! & flags) !== flags) {
    flows.addFlags(row, flags);
    if ((flags & (SYN | ACK)) === SYN && !flows.isReply(row)) offloadBegun(pipeline, isIpv4, row);
    else offloadEstablished(pipeline, flows, row);
  }
  return row;
}

/**
 * What a client says that has closed: where its port has begun a connection by way of another node, which routers have moved
 * here since, that connection is a flow of its own. In the old one's place it would go to the old one's backend, whose
 * reset would end it. What a client repeats at the end of a connection comes sooner; where another node has handed the
 * address over, it is enough that nothing was heard since. Data is not kept waiting at all then: an acknowledgement may have
 * come just before it.
 */
function beginInMiddle(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, flags: number): number {
  const flows = pipeline.flowsOf(isIpv4);
  if ((flags & (FIN | RST)) !== 0 || flows.isReply(row)) return row;
  const peer = flows.peer(row);
  const isData = (flags & PSH) !== 0;
  const mayBeOver = isData
    ? isOver(pipeline, i, isIpv4, row, peer)
    : (flags & SYN) === 0 && pipeline.batch.protocol[i] === PROTOCOL_TCP && haveBothClosed(flows, row, peer);
  if (!mayBeOver) return row;
  const since = isSilent(pipeline, flows, row, peer) ? pipeline.now : handedOverAt(pipeline, i, isIpv4);
  const mayBeNext = isData ? since !== NEVER : lastSeen(flows, row, peer) < since;
  return mayBeNext ? reopenFlow(pipeline, i, isIpv4, row, peer) : row;
}

/** Where replies don't come by here, a client that has closed may acknowledge for long what it is sent. */
function haveBothClosed({ words, layout }: FlowTable, row: number, peer: number): boolean {
  return peer !== NO_ROW && (words[row + layout.state]! & words[peer + layout.state]! & FIN) !== 0;
}

/** A FIN of the client alone may be forged; where replies don't come by here, there is no other to be seen. */
function isOver(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, peer: number): boolean {
  const flows = pipeline.flowsOf(isIpv4);
  const { words, layout } = flows;
  if ((words[row + layout.state]! & FIN) !== 0) return peer === NO_ROW || flowState(flows, row, peer) === "closed";
  // Who says whom a segment is for knows no connection of that port.
  return peer !== NO_ROW && hasPodClosed(flows, row, peer) && isTold(pipeline, i, isIpv4);
}

/** Whether the pod of a flow that another node sends here has closed; that the client has too, it need not have shown here. */
function hasPodClosed({ words, layout }: FlowTable, row: number, peer: number): boolean {
  return receivesDsr(words[row + layout.egress]!) && (words[peer + layout.state]! & FIN) !== 0;
}

/** Whether a row sends segments of another node on to a backend elsewhere (mid-flow.ts). */
function isSentOn(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): boolean {
  const { words, layout } = pipeline.flowsOf(isIpv4);
  const kind = dsrKind(words[row + layout.egress]!);
  if (!sendsDsr(words[row + layout.egress]!)) return false;
  return pipeline.tunnelled ? kind === DsrKind.Asking : kind === DsrKind.Link && isTold(pipeline, i, isIpv4);
}

/** Whether another node has said by the option whom a segment is for. */
function isTold({ batch, view }: Pipeline, i: number, isIpv4: boolean): boolean {
  return carriesDsrOption(view, isIpv4, batch.network[i]!, batch.transport[i]!);
}

function isSilent({ now }: Pipeline, flows: FlowTable, row: number, peer: number): boolean {
  return now - lastSeen(flows, row, peer) >= SILENT_SECONDS;
}

/**
 * A SYN on a flow that there is: the client uses its port again, or has not been heard. What begins while the old flow is over
 * is opened, so that it gets a backend of today. While that is not certain, it stays where it is as long as its backend takes
 * new flows: so a forged RST and a forged SYN together move nothing. After a silence, though, the backend is one of today,
 * which other nodes choose as well should routers move the new flow there.
 */
function beginAgain(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): number {
  const flows = pipeline.flowsOf(isIpv4);
  const { words, layout } = flows;
  const peer = flows.peer(row);
  // Its answers would leave as the other VIP, so it does not go the way of the flow of the same port at the same pod.
  const isForAnotherVip = peer !== NO_ROW && namesAnotherVip(pipeline, i, isIpv4, row, peer);
  if (isForAnotherVip && !givesWay(flows, row, peer, pipeline.now)) {
    return refuse(pipeline, i, DropReason.TupleCollision);
  }
  const shown = words[row + layout.state]! | (peer === NO_ROW ? 0 : words[peer + layout.state]!);
  const mayBeOver = (shown & RST) !== 0 || ((shown & FIN) !== 0 && closesUnseen(flows, row, peer));
  // A flow that this very SYN has opened shows no flag yet.
  const isUnanswered = (shown & (SYN | ACK | FIN | RST)) === SYN;
  if (
    isForAnotherVip ||
    hasEnded(pipeline, i, isIpv4, row, peer) ||
    (mayBeOver && (shown & RST) === 0 && isSilent(pipeline, flows, row, peer)) ||
    ((mayBeOver || isUnanswered) && !pipeline.table.takesNewFlows(words[row + layout.owner]!))
  ) {
    return reopenFlow(pipeline, i, isIpv4, row, peer);
  }
  if (mayBeOver) {
    Atomics.and(words, row + layout.state, ~STATE_FLAGS);
    if (peer !== NO_ROW) Atomics.and(words, peer + layout.state, ~STATE_FLAGS);
  }
  return row;
}

/**
 * Whether one side may have closed without being seen, after the other's FIN: the pod whose replies never come by here (DSR),
 * or the client whose requests need not.
 */
function closesUnseen(flows: FlowTable, row: number, peer: number): boolean {
  return peer === NO_ROW || hasPodClosed(flows, row, peer);
}

/** Whether nothing may go on by a flow's rows but what has been sent before the SYN. */
function hasEnded(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, peer: number): boolean {
  const flows = pipeline.flowsOf(isIpv4);
  if (flowState(flows, row, peer) === "closed") return true;
  // Replies that come by here without a row would leave with the backend's address. It was shared with a flow of the same port
  // that came another way, straight or from another node; or direct-answer.ts has ended it.
  if (peer === NO_ROW && !sendsDsr(flows.words[row + flows.layout.egress]!)) return true;
  // What another node says is for a pod here, and was sent on: a new connection is not, but for one that may still live.
  return isSentOn(pipeline, i, isIpv4, row) && isSilent(pipeline, flows, row, peer);
}

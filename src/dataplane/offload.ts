/**
 * Which flows the kernel forwards: TCP from its first SYN on, everything else when both directions have been seen (or, with
 * direct server return, whose replies nobody here sees, when it has gone on for a while). While a worker stands still,
 * datagrams go over with the first one: their replies may come to it, and would wait. A flow
 * goes over once and for good; a change back and forth would reorder its packets each time.
 *
 * The programs do what they can for such a row (native/bpf/forward.h) and leave the rest of its frames to the worker:
 * fragments, options, what is too long or in a tunnel. So nothing here depends on what they can.
 */
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ACK, FIN, RST } from "../wire/transport.ts";
import { receivesDsr } from "./egress.ts";
import { type FlowTable, NO_ROW, TAG_PROTOCOL } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";
import { requestOverhead } from "./segment-size.ts";

const FIRST_DATAGRAMS = 10;

/** Called when a row has seen its first frame, or a TCP flag for the first time: nothing else establishes a flow. */
export function offloadEstablished(pipeline: Pipeline, flows: FlowTable, row: number): void {
  if (!pipeline.offloads) return;
  const peer = flows.peer(row);
  if (peer === NO_ROW || !isEstablished(flows, row, peer, pipeline.hurries)) return;
  if (flows.isWatched(flows.isReply(row) ? peer : row)) return;
  flows.offload(row);
  flows.offload(peer);
}

/**
 * Called for a flow's first SYN. The other end has nothing to send before it has come, so nothing can overtake it, and a
 * connection costs the worker one frame instead of three. (A second datagram may follow the first at once: UDP waits.)
 */
export function offloadBegun(pipeline: Pipeline, isIpv4: boolean, row: number): void {
  const flows = pipeline.flowsOf(isIpv4);
  if (!pipeline.offloads || (flows.words[row + flows.layout.tag]! & TAG_PROTOCOL) !== PROTOCOL_TCP) return;
  const peer = flows.peer(row);
  if (peer === NO_ROW || flows.isWatched(row)) return;
  // The MSS of the SYN-ACK then depends on what other nodes do, which the programs don't know.
  if (requestOverhead(pipeline, isIpv4, peer) > 0) return;
  flows.offload(peer);
  flows.offload(row);
}

/**
 * Called for each request of a flow whose replies never come by here, as nobody sees it answered. Of TCP any segment will do
 * that neither ends nor resets it. Datagrams go over when there have been more than are sent at once in the beginning
 * (RFC 9002 §7.2: ten), so that none of those overtakes another.
 */
export function offloadSending(flows: FlowTable, row: number): void {
  const { words, layout } = flows;
  const protocol = words[row + layout.tag]! & TAG_PROTOCOL;
  if (flows.isOffloaded(row) || flows.isWatched(row)) return;
  if (protocol === PROTOCOL_TCP && (words[row + layout.state]! & (RST | FIN)) === 0) flows.offload(row);
  if (protocol === PROTOCOL_UDP && words[row + layout.packets]! >>> 0 >= FIRST_DATAGRAMS) flows.offload(row);
}

function isEstablished(flows: FlowTable, row: number, peer: number, hurries: boolean): boolean {
  const { words, layout } = flows;
  const protocol = words[row + layout.tag]! & TAG_PROTOCOL;
  if (protocol === PROTOCOL_TCP) {
    const here = words[row + layout.state]!;
    const there = words[peer + layout.state]!;
    if (((here | there) & (RST | FIN)) !== 0) return false;
    // At the pod's node only a request with an option comes to us, mostly the first one; the reply's ACK must do.
    const isReply = flows.isReply(row);
    const received = receivesDsr(words[(isReply ? peer : row) + layout.egress]!);
    return ((received ? (isReply ? here : there) : here & there) & ACK) !== 0;
  }
  if (protocol !== PROTOCOL_UDP) return false;
  return hurries || (words[row + layout.packets] !== 0 && words[peer + layout.packets] !== 0);
}

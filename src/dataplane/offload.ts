/**
 * Which flows the kernel forwards: established ones, of which both directions have been seen. A flow goes over once and
 * for good, when the frame that shows it comes by; a change back and forth would reorder its packets each time.
 *
 * The programs do what they can for such a row (native/bpf/forward.h) and leave the rest of its frames to the worker:
 * SYN and RST, fragments, options, what is too long or in a tunnel. So nothing here depends on what they can.
 */
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ACK, FIN, RST } from "../wire/transport.ts";
import { receivesDsr } from "./egress.ts";
import { type FlowTable, NO_ROW, TAG_PROTOCOL } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** Called when a row has seen its first frame, or a TCP flag for the first time: nothing else establishes a flow. */
export function offloadEstablished(pipeline: Pipeline, flows: FlowTable, row: number): void {
  if (!pipeline.offloads) return;
  const peer = flows.peer(row);
  if (peer === NO_ROW || !isEstablished(flows, row, peer)) return;
  if (flows.isWatched(flows.isReply(row) ? peer : row)) return;
  flows.offload(row);
  flows.offload(peer);
}

function isEstablished(flows: FlowTable, row: number, peer: number): boolean {
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
  return protocol === PROTOCOL_UDP && words[row + layout.packets] !== 0 && words[peer + layout.packets] !== 0;
}

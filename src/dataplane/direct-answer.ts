/**
 * Answers to connections that do not come by the gateway's addresses: a client may speak to a pod directly too, and from a
 * port that it has just used to a VIP and that was given this very pod. (Linux chooses ports for each destination apart.)
 * Of such a connection only what the pod sends looks like ours: its addresses and ports are those of the reply row that the
 * old connection has left. Translated, it would reach the client as the VIP, and the connection would never come about.
 *
 * The SYN-ACK tells. On a flow that is over, by both sides' FIN or by a RST, it answers no SYN that was forwarded here: that
 * would have begun the flow anew (`beginAgain` in flow-tracking.ts). It also proves that the pod has forgotten the old
 * connection, so the reply row ends with it, and all that follows is nobody's translation. The door does the same, before a
 * worker sees it (native/bpf/direct_answer.h); both read and write the same words.
 *
 * While the old connection lives the pod answers the other one's SYN with an ACK that says so (RFC 9293 §3.10.7.4). That is
 * the old connection's to its end: whoever speaks directly waits until it is closed.
 */
import { ACK, FIN, RST, SYN } from "../wire/transport.ts";
import { receivesDsr } from "./egress.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";

/** Whether a segment of a reply row begins a connection of which the gateway knows nothing. @param flags of the segment. */
export function isDirectAnswer(flows: FlowTable, row: number, flags: number): boolean {
  if ((flags & (SYN | ACK)) !== (SYN | ACK) || !flows.isReply(row)) return false;
  const { words, layout } = flows;
  const back = words[row + layout.state]!;
  // The first answer to a SYN that was forwarded, whatever somebody has forged since.
  if ((back & ACK) === 0) return false;
  const request = flows.peer(row);
  if (request === NO_ROW) return true;
  const there = words[request + layout.state]!;
  if (((there | back) & RST) !== 0) return true;
  // Where only a SYN of the client's need come by, the pod's own FIN must do.
  return (back & FIN) !== 0 && ((there & FIN) !== 0 || receivesDsr(words[request + layout.egress]!));
}

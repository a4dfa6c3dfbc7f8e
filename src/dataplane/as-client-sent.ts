/**
 * A request that another node has translated, put back as its client knows it: an error about it is for the client, whose
 * host finds the connection by what is quoted (RFC 5508 §4.2). At the backend's node of direct server return only; anywhere
 * else a frame that is answered has not been translated yet.
 */
import { removeOption } from "./dsr-dress.ts";
import { receivesDsr } from "./egress.ts";
import { reverseKey } from "./flow-key.ts";
import { NO_ROW } from "./flow-table.ts";
import { FrameKind } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";
import { translateQuote } from "./related-icmp.ts";

/** Before an error quotes a frame that can't go on. @param egress of its row. */
export function putAsClientSent(pipeline: Pipeline, i: number, egress: number): void {
  const { batch, key, translated, spareKey } = pipeline;
  const kind = batch.kind[i]!;
  const isIpv4 = kind === FrameKind.Flow4 || kind === FrameKind.FirstFragment4;
  // What has no ports, a later fragment or an ICMP error, says too little to be found by, or is not answered.
  const hasPorts = isIpv4 || kind === FrameKind.Flow6 || kind === FrameKind.FirstFragment6;
  if (!receivesDsr(egress) || !hasPorts) return;
  const flows = pipeline.flowsOf(isIpv4);
  const transport = batch.transport[i]!;
  const protocol = batch.protocol[i]!;
  pipeline.loadKey(key, isIpv4, batch.network[i]!, transport, protocol);
  const row = flows.findKey(batch.hash[i]!, key);
  const reply = row === NO_ROW ? NO_ROW : flows.peer(row);
  if (reply === NO_ROW) return;
  removeOption(pipeline, i, isIpv4);
  // The reply leaves as the client expects it: turned round, that is what the client has sent.
  flows.loadTranslation(reply, translated);
  reverseKey(spareKey, translated);
  translateQuote(pipeline, isIpv4, batch.network[i]!, transport, batch.end[i]!, protocol, key, spareKey);
}

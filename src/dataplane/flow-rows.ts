/**
 * Writing the rows of a new flow: claimed, filled and published, the request's last. So whoever finds a flow finds all
 * of it.
 */
import { sameAddress } from "../wire/raw.ts";
import { FLOWS_OPENED, VIP_FLOWS_OPENED, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import { claimRow } from "./eviction.ts";
import { endFlow, FlowEnd } from "./flow-end.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, reverseKey } from "./flow-key.ts";
import { givesWay } from "./flow-state.ts";
import { type FlowTable, NO_ROW, TAG_REPLY } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** `claimReply` answers so when another flow has the reply's key. */
export const COLLISION = -2;

/**
 * Both rows of a flow: requests with `pipeline.key` become `pipeline.translated`, and the replies to those get the
 * addresses that the client knows.
 * @param served the request as the client sent it: `pipeline.key`, unless another node has translated it.
 * @returns the request row, or `NO_ROW` when the frame has been dropped.
 */
export function openRows(
  pipeline: Pipeline,
  i: number,
  flows: FlowTable,
  served: FlowKey,
  requestEgress: number,
  replyEgress: number,
  owner: number,
): number {
  const reply = claimReply(pipeline, flows, served, replyEgress, owner);
  if (reply === COLLISION) return refuse(pipeline, i, DropReason.TupleCollision);
  if (reply === NO_ROW) return refuse(pipeline, i, DropReason.FlowTableFull);
  return openRequest(pipeline, i, flows, reply, requestEgress, owner);
}

/**
 * The reply row of a flow whose source stays the client's. Its key must lead back to this VIP alone; it doesn't when one
 * client reaches one backend from one port through two VIPs at once. An orphan of the same flow is taken over, and a flow
 * that is over ends.
 */
export function claimReply(
  pipeline: Pipeline,
  flows: FlowTable,
  served: FlowKey,
  egress: number,
  owner: number,
): number {
  const { translated, otherKey, spareKey, now } = pipeline;
  reverseKey(otherKey, translated);
  const hash = flows.hashKey(otherKey);
  const existing = flows.findKey(hash, otherKey);
  if (existing !== NO_ROW) {
    if (isPeer(flows, existing, served, spareKey)) return existing;
    const other = flows.peer(existing);
    if (other === NO_ROW || !givesWay(flows, other, existing, now)) return COLLISION;
    endFlow(flows, other, existing, FlowEnd.closed, now);
  }
  const reply = claimRow(pipeline, flows, hash, otherKey, translated[KEY_PROTOCOL]!, TAG_REPLY);
  if (reply === NO_ROW) return NO_ROW;
  reverseKey(spareKey, served);
  flows.complete(reply, spareKey, egress, owner);
  if (flows.twin(reply, hash, otherKey) === NO_ROW) return reply;
  // Another worker has just given this key to a flow of another VIP.
  flows.withdraw(reply, now);
  return COLLISION;
}

/**
 * The request row of a flow; that of another thread if there is one by now.
 * @param reply its reply row, or `NO_ROW` for one whose replies we never see.
 */
export function openRequest(
  pipeline: Pipeline,
  i: number,
  flows: FlowTable,
  reply: number,
  egress: number,
  owner: number,
): number {
  const { batch, key, translated, now } = pipeline;
  const request = claimRow(pipeline, flows, batch.hash[i]!, key, batch.protocol[i]!, 0);
  if (request === NO_ROW) {
    if (reply !== NO_ROW) flows.withdraw(reply, now);
    return refuse(pipeline, i, DropReason.FlowTableFull);
  }
  flows.complete(request, translated, egress, owner);
  const twin = flows.twin(request, batch.hash[i]!, key);
  if (twin !== NO_ROW) return giveWay(flows, request, reply, twin, now);
  pipeline.counters.totals[FLOWS_OPENED]! += 1;
  pipeline.counters.vips[(owner >>> 16) * VIP_STRIDE + VIP_FLOWS_OPENED]! += 1;
  return request;
}

/** This thread stood still with the lock, which was taken from it, and the flow has been opened: so it stays. */
function giveWay(flows: FlowTable, request: number, reply: number, twin: number, now: number): number {
  flows.withdraw(request, now);
  if (reply !== NO_ROW && flows.peer(twin) !== reply) flows.withdraw(reply, now);
  return twin;
}

/** Drops the frame whose flow can't be opened. */
export function refuse(pipeline: Pipeline, i: number, reason: number): number {
  pipeline.drop(i, reason);
  return NO_ROW;
}

/** Whether a reply row belongs to the flow of a request's key. */
function isPeer(flows: FlowTable, reply: number, key: FlowKey, spare: FlowKey): boolean {
  flows.loadTranslation(reply, spare);
  return (
    sameAddress(spare, KEY_SOURCE, key, KEY_DESTINATION) &&
    spare[KEY_PORTS]! >>> 16 === (key[KEY_PORTS]! & 0xffff) &&
    (spare[KEY_PORTS]! & 0xffff) === key[KEY_PORTS]! >>> 16
  );
}

/** A segment of a flow that another node of the link still has: it goes there, MACs changed and nothing else. */
import { KEY_DESTINATION, KEY_PORTS } from "./flow-key.ts";
import { MODE_NAT } from "./forwarding-layout.ts";
import { NO_VIP } from "./forwarding-table.ts";
import { NO_HANDOFF } from "./handoffs.ts";
import type { Pipeline } from "./pipeline.ts";

/** What `handedOverAt` gives for an address that nobody has handed over. */
export const NEVER = Number.NEGATIVE_INFINITY;

/**
 * Since when another node may have the connection of a frame, for it has handed over the address then. With direct server return
 * it is nobody's in particular; and over the link, where no TTL falls, nodes could send a frame round that each takes for the
 * other's.
 */
export function handedOverAt(pipeline: Pipeline, i: number, isIpv4: boolean): number {
  const { handoffs, batch, key, table, now } = pipeline;
  if (handoffs === null || pipeline.tunnelled) return NEVER;
  const protocol = batch.protocol[i]!;
  pipeline.loadKey(key, isIpv4, batch.network[i]!, batch.transport[i]!, protocol);
  const slot = handoffs.find(key, KEY_DESTINATION, now);
  if (slot === NO_HANDOFF) return NEVER;
  const vip = table.vip(key, KEY_DESTINATION, key[KEY_PORTS]! >>> 16, protocol);
  return vip !== NO_VIP && table.mode(vip) === MODE_NAT ? handoffs.since(slot) : NEVER;
}

/** `pipeline.key` is the frame's. @returns false when the frame's address was handed over by nobody. */
export function handOn(pipeline: Pipeline, i: number): boolean {
  const { handoffs, batch, view, ports, key, now } = pipeline;
  if (handoffs === null || pipeline.tunnelled) return false;
  const slot = handoffs.find(key, KEY_DESTINATION, now);
  if (slot === NO_HANDOFF) return false;
  const offset = batch.offset[i]!;
  const port = batch.port[i]!;
  view.setInt32(offset, handoffs.macFirst(slot), true);
  view.setUint16(offset + 4, handoffs.macLast(slot), true);
  view.setInt32(offset + 6, ports.macFirst(port), true);
  view.setUint16(offset + 10, ports.macLast(port), true);
  pipeline.reply(i);
  return true;
}

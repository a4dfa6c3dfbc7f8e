/** A segment of a flow that another node of the link still has: it goes there, MACs changed and nothing else. */
import { KEY_DESTINATION } from "./flow-key.ts";
import { NO_HANDOFF } from "./handoffs.ts";
import type { Pipeline } from "./pipeline.ts";

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

/**
 * VLAN tags of ports. A port may carry one tag or two (QinQ); a frame that comes in by it loses them before anything else
 * looks at it, and one that leaves by it gets them last, so the rest of the pipeline knows no tags. A frame keeps its
 * priority (PCP, DEI) from port to port. Frames without a port's tags are of another network: they pass.
 *
 * Nodes without tagged ports pay one comparison per batch, and none per frame: no EtherType equals the one that a tagged
 * port asks for (port-table.ts), so its frames leave the way of the plain ones at once.
 */
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { isVlan, moveMacs, priorityOf, VLAN_TAG_BYTES, withPriority } from "../wire/vlan.ts";
import { DropReason } from "./drop-reason.ts";
import { Verdict } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";

/** Where the EtherType or a tag is. */
const BEHIND_MACS = 12;

/**
 * Takes the tags of its port off a frame that has just come in.
 * @returns whether it had them; else it has its verdict.
 */
export function takeTags(pipeline: Pipeline, i: number): boolean {
  const { batch, view, ports } = pipeline;
  // What comes out of a tunnel has lost them already.
  if (pipeline.tunnelled) return true;
  const port = batch.port[i]!;
  const offset = batch.offset[i]!;
  const outer = ports.outerTag(port);
  const inner = ports.innerTag(port);
  const tagBytes = inner === 0 ? VLAN_TAG_BYTES : 2 * VLAN_TAG_BYTES;
  if (batch.length[i]! < ETHERNET_HEADER_BYTES + tagBytes) {
    pipeline.pass(i, DropReason.NotOurVlan);
    return false;
  }
  const first = view.getInt32(offset + BEHIND_MACS, true);
  const second = inner === 0 ? first : view.getInt32(offset + BEHIND_MACS + VLAN_TAG_BYTES, true);
  if (!isVlan(first, outer) || (inner !== 0 && !isVlan(second, inner))) {
    pipeline.pass(i, DropReason.NotOurVlan);
    return false;
  }
  batch.priority[i] = (priorityOf(first) << 4) | priorityOf(second);
  moveMacs(view, offset, offset + tagBytes);
  batch.offset[i] = offset + tagBytes;
  batch.length[i]! -= tagBytes;
  return true;
}

/** Gives every frame of the batch that leaves by a tagged port the tags of that. */
export function giveTags(pipeline: Pipeline): void {
  const { batch, ports } = pipeline;
  for (let i = 0; i < batch.count; i++) {
    const verdict = batch.verdict[i];
    if (verdict !== Verdict.Transmit && verdict !== Verdict.Reply) continue;
    if (ports.outerTag(batch.egress[i]!) !== 0) tagFrame(pipeline, i, batch.egress[i]!);
  }
}

/** Puts a port's tags, of which it has one at least, into a frame. */
export function tagFrame(pipeline: Pipeline, i: number, port: number): void {
  const { batch, view, ports } = pipeline;
  const priority = ports.outerTag(batch.port[i]!) === 0 ? 0 : batch.priority[i]!;
  const inner = ports.innerTag(port);
  const tagBytes = inner === 0 ? VLAN_TAG_BYTES : 2 * VLAN_TAG_BYTES;
  const offset = batch.offset[i]! - tagBytes;
  moveMacs(view, offset + tagBytes, offset);
  view.setInt32(offset + BEHIND_MACS, withPriority(ports.outerTag(port), priority >>> 4), true);
  if (inner !== 0) {
    view.setInt32(offset + BEHIND_MACS + VLAN_TAG_BYTES, withPriority(inner, priority & 0xf), true);
  }
  batch.offset[i] = offset;
  batch.length[i]! += tagBytes;
}

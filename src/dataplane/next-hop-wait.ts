/**
 * A frame whose next hop has no MAC yet: it waits for that as it came in (waiting-frames.ts). What has waited in vain comes
 * by once more, and its sender is told that there is nobody (RFC 1812 §5.2.7.1, RFC 4861 §7.2.2).
 */
import { DropReason } from "./drop-reason.ts";
import { restoreTunnel } from "./dsr-receive.ts";
import { hostUnreachable } from "./icmp-error.ts";
import type { Pipeline } from "./pipeline.ts";
import { tagFrame } from "./vlan-tags.ts";

/**
 * Called before anything of the frame has been changed that would not be changed likewise once more; somebody else has
 * asked for the MAC. @param words, at the next hop's address. @param outPort that it is behind.
 */
export function awaitNextHop(pipeline: Pipeline, i: number, words: Int32Array, at: number, outPort: number): void {
  if (pipeline.givesUp) {
    hostUnreachable(pipeline, i, DropReason.NeighborUnresolved);
    return;
  }
  const { batch, bytes, ports, waiting, now } = pipeline;
  if (pipeline.tunnelled) restoreTunnel(pipeline, i);
  const port = batch.port[i]!;
  if (ports.outerTag(port) !== 0) tagFrame(pipeline, i, port);
  const waits = waiting.hold(bytes, batch.offset[i]!, batch.length[i]!, port, words, at, outPort, now);
  pipeline.drop(i, waits ? DropReason.NeighborAwaited : DropReason.NeighborUnresolved);
}

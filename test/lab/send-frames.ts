/**
 * Puts frames on a link as they are, whoever they say they come from. A program of its own, started in the namespace that
 * the link is in:
 *
 *     node send-frames.ts DEVICE HEX...
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PacketSocket } from "../../src/xdp/packet-socket.ts";
import type { Namespace } from "./namespace.ts";

export function sendFrames(from: Namespace, device: string, frames: readonly Uint8Array[]): void {
  const hex = frames.map((frame) => Buffer.from(frame).toString("hex"));
  from.run([process.execPath, import.meta.filename, device, ...hex]);
}

if (import.meta.main) {
  const [device, ...frames] = process.argv.slice(2);
  const socket = new PacketSocket(device!, "arp");
  for (const frame of frames) while (!socket.send(Buffer.from(frame, "hex"))) await sleep(1);
  socket.close();
}

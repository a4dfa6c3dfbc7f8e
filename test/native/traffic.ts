/** Moving single frames through AF_XDP sockets, and steering traffic to one: what several files of this suite need. */
import { attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import type { Umem } from "../../src/xdp/umem.ts";
import { POLLIN, poll } from "../../src/xdp/wait.ts";
import type { XskSocket } from "../../src/xdp/xsk.ts";
import { octets } from "./frames.ts";
import { run } from "./own-namespace.ts";

/** Small rings: one page of slots is plenty for single frames. */
export const SMALL_RINGS = { rxSize: 64, txSize: 64, fillSize: 64, completionSize: 64, bind: "copy" } as const;

/** 32-bit words as the bytes of a BPF key or value. */
export function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

export function interfaceIndex(name: string): number {
  return JSON.parse(run(`ip -j link show dev ${name}`))[0].ifindex;
}

/** Gives `count` frames, from `firstFrame` on, to the kernel to receive into. */
export function offerFrames(umem: Umem, xsk: XskSocket, firstFrame: number, count: number): number {
  const reserved = xsk.fill.reserve(count);
  for (let i = 0; i < reserved; i++) {
    xsk.fill.descriptors[xsk.fill.index(i) * 2] = (firstFrame + i) * umem.frameSize;
  }
  xsk.fill.submit(reserved);
  return reserved;
}

/** Sends one frame from the memory of frame `frameIndex`. */
export function transmit(umem: Umem, xsk: XskSocket, frameIndex: number, frame: Uint8Array): void {
  umem.bytes.set(frame, frameIndex * umem.frameSize);
  xsk.tx.reserve(1);
  const word = xsk.tx.index(0) * 4;
  xsk.tx.descriptors[word] = frameIndex * umem.frameSize;
  xsk.tx.descriptors[word + 2] = frame.length;
  xsk.tx.submit(1);
  while (xsk.kick());
}

/** Waits for one frame and returns a copy of it; `null` when none came. */
export function receive(umem: Umem, xsk: XskSocket): Uint8Array | null {
  poll(new Int32Array([xsk.fd, POLLIN, 0]), 1, 1000);
  if (xsk.rx.peek(1) === 0) return null;
  const word = xsk.rx.index(0) * 4;
  const address = xsk.rx.descriptors[word]!;
  const frame = umem.bytes.slice(address, address + xsk.rx.descriptors[word + 2]!);
  xsk.rx.release(1);
  return frame;
}

/** Loads the real program on `xsk`'s interface and makes `address` ours there. Close the result to undo it. */
export function steer(
  xsk: XskSocket,
  address: string,
  mode: "auto" | "native" | "generic" = "auto",
): { object: BpfObject; close(): void } {
  const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
  setDoorPort(object.map("ports"), interfaceIndex(xsk.interface), { id: 1 });
  object.map("owned4").update(Uint8Array.from(octets(address)), words(1));
  object.map("xsks").update(words(64 + xsk.queue), words(xsk.fd));
  const link = attachXdp({ program: object.program("sluice_xdp"), interface: xsk.interface, mode });
  return {
    object,
    close() {
      link.detach();
      object.close();
    },
  };
}

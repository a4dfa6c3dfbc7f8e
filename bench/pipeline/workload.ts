/**
 * The workload of the pipeline benchmark: established TCP flows of 64-byte frames, spread over `flows` flows so that
 * each lookup goes somewhere else in the table. bench/pipeline/twin.c makes the very same frames and rows.
 */
import type { FrameBatch } from "../../src/dataplane/frame-batch.ts";
import type { Pipeline } from "../../src/dataplane/pipeline.ts";
import { ACK, SYN } from "../../src/wire/transport.ts";
import { ipv4Frame } from "../../test/fixtures/frames.ts";
import { ROUTER_MAC, VIP, WAN, WAN_MAC } from "../../test/fixtures/gateway.ts";

export const BATCH = 64;
export const CHUNK = 2048;
export const FRAMES = 4096;
/** The frame begins two bytes off, so that its IP header is aligned, as with a UMEM headroom of 2. */
export const FRAME_OFFSET = 258;

const FIRST_CLIENT = 0x0b000000;
const PORTS_PER_CLIENT = 1 << 14;
const FIRST_PORT = 1024;

const template = ipv4Frame({
  destinationMac: WAN_MAC,
  sourceMac: ROUTER_MAC,
  source: "11.0.0.0",
  destination: VIP,
  sourcePort: FIRST_PORT,
  destinationPort: 80,
  protocol: 6,
  flags: ACK,
  payload: new Uint8Array(10),
});
const templateView = new DataView(template.buffer);
const ipSum = ~templateView.getUint16(24) & 0xffff;
const tcpSum = ~templateView.getUint16(50) & 0xffff;
export const FRAME_BYTES = template.length;

/** Not among the types of Node.js. */
declare const WebAssembly: { readonly Memory: new (of: { initial: number }) => { readonly buffer: ArrayBuffer } };
const WEBASSEMBLY_PAGE_BYTES = 65_536;

/**
 * Memory that begins with a page, as the kernel's mappings do and those of the twin in C. What JavaScript gets by itself
 * begins 16 bytes later, so that rows and headers would lie across two cache lines. Its pages are small, as the twin's.
 */
export function pageAligned(bytes: number): ArrayBuffer {
  return new WebAssembly.Memory({ initial: Math.ceil(bytes / WEBASSEMBLY_PAGE_BYTES) }).buffer;
}

/** Lays the template into every frame of the memory. */
export function layFrames(bytes: Uint8Array): void {
  for (let frame = 0; frame < FRAMES; frame++) bytes.set(template, frame * CHUNK + FRAME_OFFSET);
}

/** Makes the frames of a batch anew, for the flows from `flow` on (a stride apart). @returns the next flow. */
export function refill(
  batch: FrameBatch,
  view: DataView,
  first: number,
  flow: number,
  flows: number,
  flags: number,
): number {
  for (let i = 0; i < BATCH; i++) {
    const at = (first + i) * CHUNK + FRAME_OFFSET;
    const client = flow >>> 14;
    const port = flow & (PORTS_PER_CLIENT - 1);
    view.setInt32(at, templateView.getInt32(0, true), true);
    view.setInt32(at + 4, templateView.getInt32(4, true), true);
    view.setInt32(at + 8, templateView.getInt32(8, true), true);
    view.setUint8(at + 22, 64);
    // All sums below are of 16-bit words, the source address contributing its low half only (11.0.x.y).
    view.setUint16(at + 24, ~folded(ipSum + client));
    view.setInt32(at + 26, FIRST_CLIENT + client);
    view.setInt32(at + 30, templateView.getInt32(30, true), true);
    view.setUint16(at + 34, FIRST_PORT + port);
    view.setUint16(at + 36, 80);
    view.setUint8(at + 47, flags);
    view.setUint16(at + 50, ~folded(tcpSum + client + port + flags - ACK));
    batch.offset[i] = at;
    batch.length[i] = FRAME_BYTES;
    batch.port[i] = WAN;
    flow += 617;
    if (flow >= flows) flow -= flows;
  }
  batch.count = BATCH;
  return flow;
}

/** Opens all flows by a SYN each, through the pipeline itself. */
export function openAll(pipeline: Pipeline, flows: number): void {
  let flow = 0;
  for (let opened = 0; opened < flows; opened += BATCH) {
    flow = refill(pipeline.batch, pipeline.view, 0, flow, flows, SYN);
    pipeline.run(100);
  }
}

function folded(sum: number): number {
  return (sum & 0xffff) + (sum >>> 16);
}

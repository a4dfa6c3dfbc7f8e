/** Packets longer than a frame of the packet memory: they come and go in several, one descriptor each. */
import { afterEach, describe, expect, test } from "vitest";
import { PACKET_CONTINUES } from "../../src/xdp/ring.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { POLLIN, poll } from "../../src/xdp/wait.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { ipv4Frame } from "./frames.ts";
import { moveIntoOwnNamespace, run, vethPair } from "./own-namespace.ts";
import { offerFrames, SMALL_RINGS, steer } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("va", "vb");
vethPair("vc", "vd");
for (const end of ["va", "vb", "vc", "vd"]) run(`ip link set ${end} mtu 9000`);

const opened: { close(): void }[] = [];
function kept<T extends { close(): void }>(resource: T): T {
  opened.push(resource);
  return resource;
}
afterEach(() => {
  while (opened.length > 0) opened.pop()!.close();
});

const FRAME_BYTES = 2048;
const memory = () => kept(new Umem({ frameCount: 128, frameSize: FRAME_BYTES }));
const socket = (umem: Umem, name: string, multiBuffer: boolean) =>
  kept(new XskSocket(umem, { interface: name, queue: 0, ...SMALL_RINGS, multiBuffer }));

function packetOf(lengthBytes: number): Uint8Array {
  const packet = ipv4Frame({ source: "198.51.100.7", destination: "192.0.2.1", lengthBytes });
  for (let i = 60; i < lengthBytes; i++) packet[i] = i % 251;
  return packet;
}

/** Sends one packet from as many frames as it needs, from `firstFrame` on. */
function transmit(umem: Umem, xsk: XskSocket, firstFrame: number, packet: Uint8Array): void {
  const pieces = Math.ceil(packet.length / FRAME_BYTES);
  expect(xsk.tx.reserve(pieces)).toBe(pieces);
  for (let i = 0; i < pieces; i++) {
    const piece = packet.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
    const address = (firstFrame + i) * FRAME_BYTES;
    umem.bytes.set(piece, address);
    const word = xsk.tx.index(i) * 4;
    xsk.tx.descriptors.set([address, 0, piece.length, i < pieces - 1 ? PACKET_CONTINUES : 0], word);
  }
  xsk.tx.submit(pieces);
  while (xsk.kick());
}

/** What arrives, as one packet's pieces; the last one has no mark that it goes on. */
function receivePieces(umem: Umem, xsk: XskSocket): Uint8Array[] {
  poll(new Int32Array([xsk.fd, POLLIN, 0]), 1, 1000);
  const count = xsk.rx.peek(16);
  const pieces = Array.from({ length: count }, (_, i) => {
    const word = xsk.rx.index(i) * 4;
    expect(xsk.rx.descriptors[word + 3]).toBe(i < count - 1 ? PACKET_CONTINUES : 0);
    const address = xsk.rx.descriptors[word]!;
    return umem.bytes.slice(address, address + xsk.rx.descriptors[word + 2]!);
  });
  xsk.rx.release(count);
  return pieces;
}

describe.each(["generic", "native"] as const)("with the program in %s mode, multi-buffer sockets", (mode) => {
  test("carry packets of any length up to the MTU, whole", () => {
    const near = memory();
    const far = memory();
    const a = socket(near, "va", true);
    const b = socket(far, "vb", true);
    const { object } = kept(steer(b, "192.0.2.1", mode));
    offerFrames(far, b, 0, 48);
    [60, 1514, 2500, 4000, 9014].forEach((lengthBytes, i) => {
      const packet = packetOf(lengthBytes);
      transmit(near, a, i * 8, packet);
      const pieces = receivePieces(far, b);
      expect(Buffer.concat(pieces)).toEqual(Buffer.from(packet));
      expect(pieces.length > 1).toBe(lengthBytes > far.largestFrameBytes);
    });
    expect(readXdpCounters(object.map("xdp_counters")).redirectOwned).toBe(5);
  });
});

test("a socket that joins the memory of a multi-buffer one is one too", () => {
  const near = memory();
  const shared = memory();
  const a = socket(near, "va", true);
  const b = socket(shared, "vb", true);
  const c = socket(shared, "vc", false);
  const d = socket(near, "vd", false);
  kept(steer(d, "192.0.2.1", "generic"));
  offerFrames(near, d, 64, 32);
  transmit(shared, c, 0, packetOf(5000));
  expect(Buffer.concat(receivePieces(near, d))).toEqual(Buffer.from(packetOf(5000)));
  for (const each of [a, b]) expect(each.zeroCopy).toBe(false);
});

test("without multi-buffer a packet longer than a frame never arrives, and is counted", () => {
  const near = memory();
  const far = memory();
  const a = socket(near, "va", true);
  const b = socket(far, "vb", false);
  kept(steer(b, "192.0.2.1", "generic"));
  offerFrames(far, b, 0, 32);
  transmit(near, a, 0, packetOf(4000));
  transmit(near, a, 8, packetOf(100));
  expect(receivePieces(far, b)).toEqual([packetOf(100)]);
  const statistics = new Float64Array(6);
  b.statistics(statistics);
  expect(statistics[0]).toBe(1);
});

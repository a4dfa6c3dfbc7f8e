/**
 * AF_XDP sockets on real interfaces: frames there and back, memory shared by two sockets, and every way of closing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test } from "vitest";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XSK_STATISTICS, XskSocket } from "../../src/xdp/xsk.ts";
import { ipv4Frame } from "./frames.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { offerFrames, receive, SMALL_RINGS, steer, transmit } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("va", "vb");
vethPair("vc", "vd");

const FRAME = ipv4Frame({ source: "198.51.100.7", destination: "192.0.2.1", lengthBytes: 100 });

const opened: { close(): void }[] = [];
function kept<T extends { close(): void }>(resource: T): T {
  opened.push(resource);
  return resource;
}
afterEach(() => {
  while (opened.length > 0) opened.pop()!.close();
});

const memory = () => kept(new Umem({ frameCount: 256, frameSize: 2048 }));
const socket = (umem: Umem, name: string) => kept(new XskSocket(umem, { interface: name, queue: 0, ...SMALL_RINGS }));

describe("a pair of sockets", () => {
  test("carries a frame from one end of a veth to the other, unchanged", () => {
    const umemA = memory();
    const umemB = memory();
    const a = socket(umemA, "va");
    const b = socket(umemB, "vb");
    const { object } = kept(steer(b, "192.0.2.1"));
    offerFrames(umemB, b, 0, 32);
    transmit(umemA, a, 7, FRAME);
    expect(receive(umemB, b)).toEqual(FRAME);
    expect(readXdpCounters(object.map("xdp_counters")).redirectOwned).toBe(1);
    expect(a.completion.peek(8)).toBe(1);
    expect(a.completion.descriptors[a.completion.index(0) * 2]).toBe(7 * 2048);
    a.completion.release(1);
  });

  test("of one thread shares one Umem: what arrives on one leaves by the other without a copy", () => {
    const shared = memory();
    const b = socket(shared, "vb");
    const c = socket(shared, "vc");
    kept(steer(b, "192.0.2.1"));
    const outside = memory();
    const a = socket(outside, "va");
    const d = socket(outside, "vd");
    kept(steer(d, "192.0.2.1"));
    offerFrames(shared, b, 0, 32);
    offerFrames(outside, d, 100, 32);
    transmit(outside, a, 0, FRAME);
    expect(receive(shared, b)).toEqual(FRAME);
    const word = b.rx.index(-1) * 4;
    c.tx.reserve(1);
    for (let i = 0; i < 3; i++) c.tx.descriptors[c.tx.index(0) * 4 + i] = b.rx.descriptors[word + i]!;
    c.tx.submit(1);
    while (c.kick());
    expect(receive(outside, d)).toEqual(FRAME);
  });

  test("moves 1,000 frames through rings of 64 slots, in order", () => {
    const umemA = memory();
    const umemB = memory();
    const a = socket(umemA, "va");
    const b = socket(umemB, "vb");
    kept(steer(b, "192.0.2.1"));
    offerFrames(umemB, b, 0, 32);
    for (let n = 0; n < 1000; n++) {
      const frame = FRAME.slice();
      new DataView(frame.buffer).setUint32(60, n);
      transmit(umemA, a, n % 64, frame);
      a.completion.release(a.completion.peek(64));
      expect(receive(umemB, b)).toEqual(frame);
      offerFrames(umemB, b, n % 32, 1);
    }
    const statistics = new Float64Array(6);
    b.statistics(statistics);
    expect(statistics.subarray(0, XSK_STATISTICS.txRingEmpty)).toEqual(new Float64Array(5));
  });
});

describe("a frame that is not ours", () => {
  test("passes to the kernel when the queue has no socket in the map", () => {
    const umem = memory();
    const a = socket(umem, "va");
    const b = socket(umem, "vb");
    const { object } = kept(steer(b, "192.0.2.1"));
    object.map("xsks").delete(new Uint8Array(Uint32Array.of(64).buffer));
    transmit(umem, a, 0, FRAME);
    expect(readXdpCounters(object.map("xdp_counters"))).toMatchObject({ noSocket: 1, redirectOwned: 0 });
  });
});

describe("closing", () => {
  const orders = [
    ["sockets, then memory", (umem: Umem, a: XskSocket, c: XskSocket) => [a, c, umem]],
    ["memory first", (umem: Umem, a: XskSocket, c: XskSocket) => [umem, a, c]],
    ["the first socket, memory, the second", (umem: Umem, a: XskSocket, c: XskSocket) => [a, umem, c]],
    ["everything twice", (umem: Umem, a: XskSocket, c: XskSocket) => [c, c, a, umem, umem, a, c]],
  ] as const;
  test.each(orders)("%s: the queues are free at once", (_name, order) => {
    for (let round = 0; round < 3; round++) {
      const umem = memory();
      const a = socket(umem, "va");
      const c = socket(umem, "vc");
      for (const resource of order(umem, a, c)) resource.close();
    }
  });

  test("leaves views and rings that can still be touched: they read as empty", () => {
    const umem = memory();
    const a = socket(umem, "va");
    offerFrames(umem, a, 0, 16);
    umem.bytes[5000] = 1;
    a.close();
    umem.close();
    expect(umem.bytes[5000]).toBe(0);
    umem.bytes[5000] = 2;
    expect(a.rx.peek(64)).toBe(0);
    expect(a.completion.peek(64)).toBe(0);
    a.fill.submit(a.fill.reserve(64));
    a.tx.submit(a.tx.reserve(64));
    expect(a.kick()).toBe(false);
    a.statistics(new Float64Array(6));
  });

  test("the first of two sockets leaves the second working, and lets a third join", () => {
    const umem = memory();
    const first = socket(umem, "vc");
    const b = socket(umem, "vb");
    first.close();
    const a = socket(umem, "va");
    kept(steer(b, "192.0.2.1"));
    offerFrames(umem, b, 0, 8);
    transmit(umem, a, 100, FRAME);
    expect(receive(umem, b)).toEqual(FRAME);
  });

  test("happens by itself to a socket that nobody refers to", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    (() => {
      const umem = new Umem({ frameCount: 64, frameSize: 2048 });
      new XskSocket(umem, { interface: "va", queue: 0, ...SMALL_RINGS });
    })();
    for (let i = 0; i < 5; i++) {
      await sleep(10);
      collect();
    }
    socket(memory(), "va");
  });
});

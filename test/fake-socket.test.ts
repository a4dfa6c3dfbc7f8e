import { describe, expect, test } from "vitest";
import { RxRing, TxRing } from "../src/xdp/ring.ts";
import { FakeSocket } from "./fixtures/fake-socket.ts";
import { describeSockets, SUITE_RING_SIZE } from "./native/socket-suite.ts";

function fakePair(firstCounter: number) {
  const senderBytes = new Uint8Array(128 * 2048);
  const receiverBytes = new Uint8Array(128 * 2048);
  const sender = new FakeSocket({ bytes: senderBytes, ringSize: SUITE_RING_SIZE, firstCounter });
  const receiver = new FakeSocket({ bytes: receiverBytes, ringSize: SUITE_RING_SIZE, firstCounter });
  FakeSocket.wire(sender, receiver);
  return { sender, senderBytes, receiver, receiverBytes, settle: () => undefined, close: () => sender.close() };
}

describeSockets("fake sockets", () => fakePair(0));
describeSockets("fake sockets whose counters pass 2^31", () => fakePair(0x7fffffff - 100));
describeSockets("fake sockets whose counters pass 2^32", () => fakePair(-100));

describe("a ring whose socket closed", () => {
  test("reads as empty, although its counters went back to zero", () => {
    const buffer = new SharedArrayBuffer(256 + 64 * 16);
    const memory = {
      buffer,
      producerOffset: 0,
      consumerOffset: 64,
      flagsOffset: 128,
      descriptorsOffset: 256,
      size: 64,
    };
    const counters = new Int32Array(buffer);
    counters[0] = 1000;
    counters[16] = 1000;
    const rx = new RxRing(memory);
    const tx = new TxRing(memory);
    counters.fill(0);
    expect(rx.peek(64)).toBe(0);
    expect(tx.reserve(64)).toBeLessThanOrEqual(64);
    expect(tx.reserve(65)).toBe(0);
  });
});

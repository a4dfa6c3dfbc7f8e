/**
 * What every pair of joined sockets does, seen through their rings: run over the fake ones (unit) and over real ones at the
 * ends of a veth (native).
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CompletionRing, FillRing, RxRing, TxRing } from "../../src/xdp/ring.ts";
import { ipv4Frame } from "./frames.ts";

export interface SocketLike {
  readonly rx: RxRing;
  readonly tx: TxRing;
  readonly fill: FillRing;
  readonly completion: CompletionRing;
  kick(): boolean;
}

export interface SocketPair {
  readonly sender: SocketLike;
  readonly senderBytes: Uint8Array;
  readonly receiver: SocketLike;
  readonly receiverBytes: Uint8Array;
  /** Returns when what was sent has arrived. */
  settle(): void;
  close(): void;
}

/** All rings have this many slots, and each memory twice as many frames of 2048 bytes. */
export const SUITE_RING_SIZE = 64;
const FRAME_BYTES = 2048;

export function describeSockets(name: string, open: () => SocketPair): void {
  let pair: SocketPair;
  /** Addresses of the receiver's frames that nobody has: not offered, not being read. */
  let free: number[];

  const frame = (number: number) => {
    const bytes = ipv4Frame({ source: "198.51.100.7", destination: "192.0.2.1", lengthBytes: 90 });
    new DataView(bytes.buffer).setUint32(60, number);
    return bytes;
  };

  /** Offers frames to receive into. */
  function offer(count: number): number {
    const { fill } = pair.receiver;
    const reserved = fill.reserve(count);
    for (let i = 0; i < reserved; i++) fill.descriptors[fill.index(i) * 2] = free.shift()!;
    fill.submit(reserved);
    return reserved;
  }

  /** Sends frames numbered from `first` on; returns how many the ring took. */
  function send(first: number, count: number): number {
    const { tx } = pair.sender;
    const reserved = tx.reserve(count);
    for (let i = 0; i < reserved; i++) {
      const address = ((first + i) % SUITE_RING_SIZE) * FRAME_BYTES;
      const bytes = frame(first + i);
      pair.senderBytes.set(bytes, address);
      const word = tx.index(i) * 4;
      tx.descriptors[word] = address;
      tx.descriptors[word + 1] = 0;
      tx.descriptors[word + 2] = bytes.length;
      tx.descriptors[word + 3] = 0;
    }
    tx.submit(reserved);
    return reserved;
  }

  function flush(): void {
    while (pair.sender.kick());
    pair.settle();
  }

  function received(max: number): number[] {
    const { rx } = pair.receiver;
    const count = rx.peek(max);
    const numbers: number[] = [];
    for (let i = 0; i < count; i++) {
      const word = rx.index(i) * 4;
      const address = rx.descriptors[word]!;
      const bytes = pair.receiverBytes.slice(address, address + rx.descriptors[word + 2]!);
      const number = new DataView(bytes.buffer).getUint32(60);
      expect(bytes).toEqual(frame(number));
      numbers.push(number);
      free.push(address - (address % FRAME_BYTES));
    }
    rx.release(count);
    return numbers;
  }

  function completed(): number {
    const count = pair.sender.completion.peek(SUITE_RING_SIZE);
    pair.sender.completion.release(count);
    return count;
  }

  const numbers = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

  describe(name, () => {
    beforeEach(() => {
      pair = open();
      free = Array.from({ length: 2 * SUITE_RING_SIZE }, (_, i) => i * FRAME_BYTES);
    });
    afterEach(() => pair.close());

    test("begin empty, with all slots free", () => {
      expect(pair.receiver.rx.peek(64)).toBe(0);
      expect(pair.sender.completion.peek(64)).toBe(0);
      expect(pair.sender.tx.reserve(1000)).toBe(SUITE_RING_SIZE);
      expect(pair.receiver.fill.reserve(1000)).toBe(SUITE_RING_SIZE);
    });

    test("deliver what was sent, whole and in order, and give each frame back", () => {
      offer(40);
      expect(send(0, 10)).toBe(10);
      flush();
      expect(received(64)).toEqual(numbers(0, 10));
      expect(completed()).toBe(10);
    });

    test("do nothing until the kick", () => {
      offer(40);
      send(0, 3);
      expect(pair.sender.tx.needsWakeup()).toBe(true);
      expect(pair.sender.tx.pending()).toBe(3);
      flush();
      expect(pair.sender.tx.pending()).toBe(0);
    });

    test("show at most as many as were asked for, and the rest next time", () => {
      offer(40);
      send(0, 10);
      flush();
      expect(pair.receiver.rx.peek(4)).toBe(4);
      expect(received(4)).toEqual([0, 1, 2, 3]);
      expect(received(64)).toEqual(numbers(4, 6));
    });

    test("show again what was looked at and not released", () => {
      offer(40);
      send(0, 2);
      flush();
      expect(pair.receiver.rx.peek(64)).toBe(2);
      expect(received(64)).toEqual([0, 1]);
      expect(pair.receiver.rx.peek(64)).toBe(0);
    });

    test("take no more than the ring holds", () => {
      expect(send(0, 100)).toBe(SUITE_RING_SIZE);
      expect(pair.sender.tx.reserve(1)).toBe(0);
      flush();
      expect(pair.sender.tx.reserve(100)).toBe(SUITE_RING_SIZE);
    });

    test("send a full ring in several kicks of 32", () => {
      offer(64);
      send(0, 64);
      expect(pair.sender.kick()).toBe(true);
      flush();
      expect(received(64)).toEqual(numbers(0, 64));
    });

    test("lose what arrives when no frame was offered, and go on", () => {
      send(0, 5);
      flush();
      expect(received(64)).toEqual([]);
      offer(8);
      send(5, 5);
      flush();
      expect(received(64)).toEqual(numbers(5, 5));
      expect(completed()).toBe(10);
    });

    test("go round their rings many times", () => {
      let next = 0;
      offer(48);
      for (let round = 0; round < 40; round++) {
        const count = 1 + ((round * 7) % 32);
        expect(send(next, count)).toBe(count);
        flush();
        expect(received(64)).toEqual(numbers(next, count));
        expect(completed()).toBe(count);
        expect(offer(count)).toBe(count);
        next += count;
      }
      expect(next).toBeGreaterThan(SUITE_RING_SIZE * 8);
    });
  });
}

/**
 * A socket without a kernel: the same rings in plain shared memory, and a `kick` that plays the kernel's part. Two of
 * them joined by `FakeSocket.wire` are the two ends of a cable. For the suite that sockets pass, which so sees the rings with
 * counters that a real socket has only after months.
 */

import { ADDRESS_WORDS, CompletionRing, FillRing, PACKET_WORDS, type RingMemory, RxRing, TxRing } from "./ring.ts";
import { KERNEL_HEADROOM_BYTES } from "./umem.ts";

/** The kernel's transmit budget of one system call. */
const KICK_BUDGET = 32;

/** One ring as the kernel sees it: the side opposite to ours. */
class KernelSide {
  readonly memory: RingMemory;
  readonly #counters: Int32Array;
  readonly #words: Int32Array;
  readonly #wordsPerSlot: number;

  /** The counters lie a cache line apart, as the kernel lays them. */
  constructor(size: number, wordsPerSlot: number, start: number) {
    const buffer = new SharedArrayBuffer(192 + size * wordsPerSlot * 4);
    this.memory = { buffer, producerOffset: 0, consumerOffset: 64, flagsOffset: 128, descriptorsOffset: 192, size };
    this.#counters = new Int32Array(buffer, 0, 48);
    this.#words = new Int32Array(buffer, 192);
    this.#wordsPerSlot = wordsPerSlot;
    this.#counters[0] = start;
    this.#counters[16] = start;
  }

  setNeedsWakeup(needed: boolean): void {
    Atomics.store(this.#counters, 32, needed ? 1 : 0);
  }

  /** Takes the oldest entry; `null` when there is none. */
  take(): Int32Array | null {
    const consumer = this.#counters[16]!;
    if (Atomics.load(this.#counters, 0) === consumer) return null;
    const slot = (consumer & (this.memory.size - 1)) * this.#wordsPerSlot;
    const entry = this.#words.slice(slot, slot + this.#wordsPerSlot);
    Atomics.store(this.#counters, 16, consumer + 1);
    return entry;
  }

  /** Adds an entry; `false` when the ring is full. */
  put(...entry: readonly number[]): boolean {
    const producer = this.#counters[0]!;
    if (((producer - Atomics.load(this.#counters, 16)) | 0) === this.memory.size) return false;
    this.#words.set(entry, (producer & (this.memory.size - 1)) * this.#wordsPerSlot);
    Atomics.store(this.#counters, 0, producer + 1);
    return true;
  }
}

export interface FakeSocketOptions {
  readonly bytes: Uint8Array;
  readonly ringSize: number;
  /** Where the ring counters begin: near 2^31 to see them wrap. */
  readonly firstCounter?: number;
}

export class FakeSocket {
  readonly fd = -1;
  readonly rx: RxRing;
  readonly tx: TxRing;
  readonly fill: FillRing;
  readonly completion: CompletionRing;
  /** Frames that arrived and found no frame offered, or no room. */
  dropped = 0;
  readonly #bytes: Uint8Array;
  readonly #rx: KernelSide;
  readonly #tx: KernelSide;
  readonly #fill: KernelSide;
  readonly #completion: KernelSide;
  #peer: FakeSocket | null = null;

  constructor({ bytes, ringSize, firstCounter = 0 }: FakeSocketOptions) {
    this.#bytes = bytes;
    this.#rx = new KernelSide(ringSize, PACKET_WORDS, firstCounter);
    this.#tx = new KernelSide(ringSize, PACKET_WORDS, firstCounter);
    this.#fill = new KernelSide(ringSize, ADDRESS_WORDS, firstCounter);
    this.#completion = new KernelSide(ringSize, ADDRESS_WORDS, firstCounter);
    this.rx = new RxRing(this.#rx.memory);
    this.tx = new TxRing(this.#tx.memory);
    this.fill = new FillRing(this.#fill.memory);
    this.completion = new CompletionRing(this.#completion.memory);
    this.#tx.setNeedsWakeup(true);
  }

  static wire(a: FakeSocket, b: FakeSocket): void {
    a.#peer = b;
    b.#peer = a;
  }

  /** As `XskSocket.kick`: sends at most 32 frames and tells whether there are more. */
  kick(): boolean {
    for (let sent = 0; ; sent++) {
      if (this.tx.pending() === 0) return false;
      if (sent === KICK_BUDGET) return true;
      const [address, , length] = this.#tx.take()!;
      this.#peer?.deliver(this.#bytes.subarray(address!, address! + length!));
      this.#completion.put(address!, 0);
    }
  }

  /** A frame arrives from outside. */
  deliver(frame: Uint8Array): void {
    const offered = this.#fill.take();
    if (offered === null) {
      this.dropped++;
      return;
    }
    const address = offered[0]! + KERNEL_HEADROOM_BYTES;
    this.#bytes.set(frame, address);
    if (!this.#rx.put(address, 0, frame.length, 0)) this.dropped++;
  }

  close(): void {
    this.#peer = null;
  }
}

/**
 * The reading end of a BPF ring buffer (Linux, Documentation/bpf/ringbuf.rst), without system calls: two counters of bytes
 * that run freely, and records behind headers of eight bytes.
 *
 *   | length 30 bits, DISCARDED, BUSY | page offset | record, padded to 8 |
 *
 * A record that a program is still writing is BUSY, and whoever reads waits for it. The data is mapped twice in a row, so
 * each record lies in one piece.
 */
import type { BpfMap } from "./bpf-map.ts";

const HEADER_BYTES = 8;
const BUSY = 1 << 31;
const DISCARDED = 1 << 30;

export class BpfRingBuffer {
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #mask: number;

  constructor(map: BpfMap) {
    const [consumer, producer] = map.mapRing();
    // One page each, and then the data, which is there twice.
    const page = producer.byteLength - 2 * map.maxEntries;
    this.#consumer = new BigUint64Array(consumer, 0, 1);
    this.#producer = new BigUint64Array(producer, 0, 1);
    this.#words = new Int32Array(producer, page);
    this.#bytes = new Uint8Array(producer, page);
    this.#mask = map.maxEntries - 1;
  }

  /** Hands over the records that are there, in order; each is valid only during the call. */
  drain(take: (record: Uint8Array) => void): void {
    let read = Number(Atomics.load(this.#consumer, 0));
    const written = Number(Atomics.load(this.#producer, 0));
    while (read < written) {
      const at = read & this.#mask;
      const header = Atomics.load(this.#words, at >> 2);
      if ((header & BUSY) !== 0) return;
      const length = header & ~(BUSY | DISCARDED);
      if ((header & DISCARDED) === 0) take(this.#bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
      read += HEADER_BYTES + ((length + 7) & ~7);
      Atomics.store(this.#consumer, 0, BigInt(read));
    }
  }
}

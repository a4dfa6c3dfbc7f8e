/**
 * The one flow table: conntrack and NAT of every worker and, through the same memory, of the kernel's BPF programs.
 *
 * Open addressing over fixed rows of one cache line, keyed by raw words (wire/raw.ts). In production the memory is a BPF
 * array map with BPF_F_MMAPABLE, mapped by each worker; tests and `sluice replay` use a SharedArrayBuffer.
 *
 *   word  0 source   1 destination   2 ports          3 tag
 *         4 new source  5 new dest.  6 new ports      7 checksum deltas: IPv4 header | transport << 16
 *         8 egress   9 owner: VIP id << 16 | backend id
 *        10 state: TCP flags seen in this direction   11 last seen, seconds of the monotonic clock
 *        12 packets, low   13 high                   14 bytes, low   15 high
 *
 *   tag   | overflow 8 | generation 13 | REPLY 1 | CLAIMED 1 | LIVE 1 | protocol 8 |
 *
 * A flow has two rows, one for each direction, so a frame needs one lookup whichever way it goes.
 *
 * Probing: from the home slot (hash & mask) at most 64 slots on. `overflow` counts the live rows that were placed past
 * this slot because it was taken; a probe ends at a row that doesn't match and has overflow 0. So a miss is as cheap as
 * a hit, and a withdrawn row leaves nothing behind that would have to be cleaned (no tombstones).
 *
 * Who writes what: TypeScript writes all words; the kernel only reads rows (and will write 10..15 of offloaded ones).
 * A row is claimed by compare-and-swap on its tag, filled, and published last by setting LIVE. A withdrawn row is not
 * claimed again for `GRACE_SECONDS`: a reader that found it just before has long moved on, so nobody ever reads a
 * half-written translation, and the hot path needs no second look at the tag.
 */
import { flowHash, type HashKey } from "./flow-hash.ts";

export const ROW_WORDS = 16;
export const ROW_BYTES = 64;
/**
 * Length of the probe window. At half load most probes end after two slots; a window of 16 would refuse one flow in ten
 * thousand then, one of 64 none that was ever seen (bench/pipeline).
 */
export const PROBE_LIMIT = 64;
/** Far longer than any batch takes, far shorter than a human notices. */
export const GRACE_SECONDS = 2;

export const ROW_SOURCE = 0;
export const ROW_DESTINATION = 1;
export const ROW_PORTS = 2;
export const ROW_TAG = 3;
export const ROW_NEW_SOURCE = 4;
export const ROW_NEW_DESTINATION = 5;
export const ROW_NEW_PORTS = 6;
export const ROW_DELTAS = 7;
export const ROW_EGRESS = 8;
export const ROW_OWNER = 9;
export const ROW_STATE = 10;
export const ROW_LAST_SEEN = 11;
export const ROW_PACKETS = 12;
export const ROW_BYTES_COUNT = 14;

export const TAG_PROTOCOL = 0xff;
export const TAG_LIVE = 1 << 8;
export const TAG_CLAIMED = 1 << 9;
export const TAG_REPLY = 1 << 10;
const TAG_MATCH = TAG_LIVE | TAG_PROTOCOL;
const TAG_GENERATION_ONE = 1 << 11;
const TAG_GENERATION = 0x1fff << 11;
const TAG_OVERFLOW_ONE = 1 << 24;
const TAG_OVERFLOW = 0xff << 24;

/** `find` and `claim` answer with the index of the row's first word, or with this. */
export const NO_ROW = -1;

export class FlowTable {
  readonly words: Int32Array;
  /** Rows, a power of two. */
  readonly capacity: number;
  readonly #mask: number;
  readonly #k0: number;
  readonly #k1: number;

  /** @param words zeroed shared memory of a power of two of rows, 16 words each. */
  constructor(words: Int32Array, key: HashKey) {
    const capacity = words.length / ROW_WORDS;
    if (capacity < PROBE_LIMIT || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`a flow table has a power of two of rows, at least ${PROBE_LIMIT}; got ${capacity}`);
    }
    this.words = words;
    this.capacity = capacity;
    this.#mask = capacity - 1;
    this.#k0 = key.k0 | 0;
    this.#k1 = key.k1 | 0;
  }

  hash(source: number, destination: number, ports: number, protocol: number): number {
    return flowHash(this.#k0, this.#k1, source, destination, ports, protocol);
  }

  /** Reads the tag of a hash's home slot: the first pass of a batch does this to bring the row into the cache. */
  touch(hash: number): number {
    return this.words[(hash & this.#mask) * ROW_WORDS + ROW_TAG]!;
  }

  /** The live row of a key, as the index of its first word, or `NO_ROW`. */
  find(hash: number, source: number, destination: number, ports: number, protocol: number): number {
    const words = this.words;
    const mask = this.#mask;
    const match = TAG_LIVE | protocol;
    let slot = hash & mask;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = slot * ROW_WORDS;
      const tag = words[row + ROW_TAG]!;
      if (
        (tag & TAG_MATCH) === match &&
        words[row] === source &&
        words[row + ROW_DESTINATION] === destination &&
        words[row + ROW_PORTS] === ports
      ) {
        return row;
      }
      if ((tag & TAG_OVERFLOW) === 0) return NO_ROW;
      slot = (slot + 1) & mask;
    }
    return NO_ROW;
  }

  /**
   * Claims a free row for a key and fills in the key; the caller fills words 4..11 and then publishes it.
   * @param reply 0 for the request direction, TAG_REPLY for the other.
   * @returns the row, or `NO_ROW` when all slots of the probe window are taken.
   */
  claim(
    hash: number,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    reply: number,
    now: number,
  ): number {
    const words = this.words;
    const mask = this.#mask;
    const home = hash & mask;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = ((home + probe) & mask) * ROW_WORDS;
      if (!this.#claimSlot(row, protocol | reply, now)) continue;
      for (let passed = 0; passed < probe; passed++) {
        Atomics.add(words, ((home + passed) & mask) * ROW_WORDS + ROW_TAG, TAG_OVERFLOW_ONE);
      }
      words[row] = source;
      words[row + ROW_DESTINATION] = destination;
      words[row + ROW_PORTS] = ports;
      words[row + ROW_STATE] = 0;
      words[row + ROW_LAST_SEEN] = now;
      words.fill(0, row + ROW_PACKETS, row + ROW_WORDS);
      return row;
    }
    return NO_ROW;
  }

  /** Makes a claimed row visible to every reader. */
  publish(row: number): void {
    Atomics.xor(this.words, row + ROW_TAG, TAG_LIVE | TAG_CLAIMED);
  }

  /** Takes back a claim that was never published. */
  abandon(row: number): void {
    this.#release(row, TAG_CLAIMED);
  }

  /**
   * Ends a live row: from now on nobody finds it. Only one caller wins when several try.
   * @returns whether this call ended it.
   */
  withdraw(row: number, now: number): boolean {
    this.words[row + ROW_LAST_SEEN] = now;
    return this.#release(row, TAG_LIVE);
  }

  /** The row of the other direction of the flow that `row` belongs to, or `NO_ROW`. */
  peer(row: number): number {
    const words = this.words;
    const ports = words[row + ROW_NEW_PORTS]!;
    const protocol = words[row + ROW_TAG]! & TAG_PROTOCOL;
    const source = words[row + ROW_NEW_DESTINATION]!;
    const destination = words[row + ROW_NEW_SOURCE]!;
    const swapped = (ports >>> 16) | (ports << 16);
    return this.find(this.hash(source, destination, swapped, protocol), source, destination, swapped, protocol);
  }

  isLive(row: number): boolean {
    return (this.words[row + ROW_TAG]! & TAG_LIVE) !== 0;
  }

  isReply(row: number): boolean {
    return (this.words[row + ROW_TAG]! & TAG_REPLY) !== 0;
  }

  #claimSlot(row: number, protocolAndDirection: number, now: number): boolean {
    const words = this.words;
    for (;;) {
      const tag = Atomics.load(words, row + ROW_TAG);
      if ((tag & (TAG_LIVE | TAG_CLAIMED)) !== 0) return false;
      const generation = tag & TAG_GENERATION;
      if (generation !== 0 && now - words[row + ROW_LAST_SEEN]! < GRACE_SECONDS) return false;
      // Generation 0 is kept for rows that were never used; it wraps to 1.
      const next = (generation + TAG_GENERATION_ONE) & TAG_GENERATION || TAG_GENERATION_ONE;
      const claimed = (tag & TAG_OVERFLOW) | next | TAG_CLAIMED | protocolAndDirection;
      if (Atomics.compareExchange(words, row + ROW_TAG, tag, claimed) === tag) return true;
    }
  }

  #release(row: number, held: number): boolean {
    const words = this.words;
    if ((Atomics.and(words, row + ROW_TAG, ~held) & held) === 0) return false;
    const protocol = words[row + ROW_TAG]! & TAG_PROTOCOL;
    const home = this.hash(words[row]!, words[row + ROW_DESTINATION]!, words[row + ROW_PORTS]!, protocol) & this.#mask;
    const distance = (row / ROW_WORDS - home) & this.#mask;
    for (let passed = 0; passed < distance; passed++) {
      Atomics.sub(words, ((home + passed) & this.#mask) * ROW_WORDS + ROW_TAG, TAG_OVERFLOW_ONE);
    }
    return true;
  }
}

/** Zeroed memory for a table that no kernel shares. */
export function flowTableMemory(rows: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(rows * ROW_BYTES));
}

/** 64-bit counter of a row (ROW_PACKETS or ROW_BYTES_COUNT), exact to 2^53. */
export function rowCounter(words: Int32Array, index: number): number {
  return (words[index]! >>> 0) + (words[index + 1]! >>> 0) * 0x100000000;
}

/**
 * The four rings that an AF_XDP socket shares with the kernel, driven from here without a system call.
 *
 * A ring is a power of two of slots and two free-running 32-bit counters: the producer's counts slots filled, the
 * consumer's slots emptied. Each side writes only its own counter.
 *
 *      consumer            producer
 *         v                   v
 *   | . . | full | full | full | . . . |      slot of counter n = n & mask
 *
 * We produce into the fill and transmit rings and consume from the receive and completion rings.
 *
 *   consumer: n = peek(max);    for i < n: read slot index(i);   release(n)
 *   producer: n = reserve(max); for i < n: write slot index(i);  submit(n)
 *
 * Barriers: `peek` and `reserve` load the other side's counter with `Atomics.load`, so that the slots it published are
 * seen after it; `release` and `submit` store our own with `Atomics.store`, so that our reads and writes of the slots are
 * done before the other side may touch them. An Atomics operation costs ten times a plain access, hence one per batch;
 * the slots themselves are plain accesses to `descriptors`.
 *
 * Descriptors are 32-bit words (the high half of a frame address is 0: a Umem is below 4 GiB):
 *
 *   receive, transmit   4 words a slot   | address low | address high | length | options |
 *   fill, completion    2 words a slot   | address low | address high |
 *
 * After its socket closed a ring reads as empty and takes what is written to it nowhere (native/addon/mapping.h).
 */

/** Where a ring lies in memory: the kernel's mapping, or a buffer of a test's own. */
export interface RingMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Byte offsets into `buffer`. */
  readonly producerOffset: number;
  readonly consumerOffset: number;
  readonly flagsOffset: number;
  readonly descriptorsOffset: number;
  /** Slots: a power of two. */
  readonly size: number;
}

/** XDP_RING_NEED_WAKEUP: the kernel sleeps on this ring until a system call wakes it. */
const NEED_WAKEUP = 1;

/** XDP_PKT_CONTD, in a descriptor's options: the packet goes on in the next slot. Only on multi-buffer sockets. */
export const PACKET_CONTINUES = 1;

export const PACKET_WORDS = 4;
export const ADDRESS_WORDS = 2;

class Ring {
  /** The slots as 32-bit words; slot `index(i)` begins at word `index(i) * wordsPerSlot`. */
  readonly descriptors: Int32Array;
  readonly size: number;
  readonly mask: number;
  protected readonly producer: Int32Array;
  protected readonly consumer: Int32Array;
  readonly #flags: Int32Array;

  constructor(memory: RingMemory, wordsPerSlot: number) {
    this.size = memory.size;
    this.mask = memory.size - 1;
    this.producer = new Int32Array(memory.buffer, memory.producerOffset, 1);
    this.consumer = new Int32Array(memory.buffer, memory.consumerOffset, 1);
    this.#flags = new Int32Array(memory.buffer, memory.flagsOffset, 1);
    this.descriptors = new Int32Array(memory.buffer, memory.descriptorsOffset, memory.size * wordsPerSlot);
  }

  /** Whether the kernel must be woken to look at this ring: `kick()` for transmit, `poll` for fill. */
  needsWakeup(): boolean {
    return (Atomics.load(this.#flags, 0) & NEED_WAKEUP) !== 0;
  }
}

/** A ring that the kernel fills and we empty. */
class ConsumerRing extends Ring {
  /** Slots released so far. */
  #next: number;
  /** The producer's counter when last looked at. */
  #seen: number;

  constructor(memory: RingMemory, wordsPerSlot: number) {
    super(memory, wordsPerSlot);
    this.#next = Atomics.load(this.consumer, 0);
    this.#seen = this.#next;
  }

  /** How many slots may be read now, at most `max`. Reads the kernel's counter only when it is out of known ones. */
  peek(max: number): number {
    let available = (this.#seen - this.#next) | 0;
    if (available < max) {
      this.#seen = Atomics.load(this.producer, 0);
      available = (this.#seen - this.#next) | 0;
      // A retired ring's counter reads 0, behind ours.
      if (available < 0) return 0;
    }
    return Math.min(available, max);
  }

  /** The slot of the i-th entry of the batch that `peek` found. */
  index(i: number): number {
    return (this.#next + i) & this.mask;
  }

  /** Gives the first `count` slots of the batch back to the kernel. */
  release(count: number): void {
    this.#next = (this.#next + count) | 0;
    Atomics.store(this.consumer, 0, this.#next);
  }
}

/** A ring that we fill and the kernel empties. */
class ProducerRing extends Ring {
  #next: number;
  /** The consumer's counter when last looked at. */
  #seen: number;

  constructor(memory: RingMemory, wordsPerSlot: number) {
    super(memory, wordsPerSlot);
    this.#next = Atomics.load(this.producer, 0);
    this.#seen = Atomics.load(this.consumer, 0);
  }

  /** How many slots may be written now, at most `max`: never waits. */
  reserve(max: number): number {
    let free = this.size - ((this.#next - this.#seen) | 0);
    if (free < max) {
      this.#seen = Atomics.load(this.consumer, 0);
      free = this.size - ((this.#next - this.#seen) | 0);
      if (free < 0 || free > this.size) return 0;
    }
    return Math.min(free, max);
  }

  index(i: number): number {
    return (this.#next + i) & this.mask;
  }

  /** Hands the first `count` slots of the batch to the kernel. */
  submit(count: number): void {
    this.#next = (this.#next + count) | 0;
    Atomics.store(this.producer, 0, this.#next);
  }

  /** Entries that the kernel has not taken yet. */
  pending(): number {
    this.#seen = Atomics.load(this.consumer, 0);
    return (this.#next - this.#seen) | 0;
  }
}

/** Frames that arrived. */
export class RxRing extends ConsumerRing {
  constructor(memory: RingMemory) {
    super(memory, PACKET_WORDS);
  }
}

/** Frames to send. */
export class TxRing extends ProducerRing {
  constructor(memory: RingMemory) {
    super(memory, PACKET_WORDS);
  }
}

/** Empty frames for the kernel to receive into. */
export class FillRing extends ProducerRing {
  constructor(memory: RingMemory) {
    super(memory, ADDRESS_WORDS);
  }
}

/** Frames that were sent and are ours again. */
export class CompletionRing extends ConsumerRing {
  constructor(memory: RingMemory) {
    super(memory, ADDRESS_WORDS);
  }
}

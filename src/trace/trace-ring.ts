/**
 * A ring of records in shared memory, from one thread that must never wait to one that looks when it likes. A record that
 * finds no room is counted and lost.
 *
 *     const at = ring.reserve(bytes);  if (at >= 0) { write at ring.bytes[at...]; ring.commit(); }
 *     for (let at = ring.next(); at >= 0; at = ring.next()) { read at ring.bytes[at...]; ring.release(); }
 *
 * A record lies in one piece and begins with its size in the four bytes before `at`. Where what is left up to the end is
 * too short, a size of 0 says that the next one is at the beginning. Counters run freely, in bytes, and wrap.
 *
 *   | written | read | lost | - | size record | size record | 0 ... |
 */
const WRITTEN = 0;
const READ = 1;
const LOST = 2;
const HEAD_BYTES = 16;
const SIZE_BYTES = 4;

/** @param bytes a power of two. */
export function traceRingMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + bytes);
}

export class TraceRing {
  /** Where records lie. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #head: Int32Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  #reserved = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#capacity = memory.byteLength - HEAD_BYTES;
    if ((this.#capacity & (this.#capacity - 1)) !== 0) throw new RangeError("a ring has a power of two of bytes");
    this.#head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEAD_BYTES);
    this.view = new DataView(memory, HEAD_BYTES);
    this.#words = new Int32Array(memory, HEAD_BYTES);
  }

  /** Records that found no room. */
  get lost(): number {
    return Atomics.load(this.#head, LOST);
  }

  /** @returns where a record of so many bytes may be written, or -1 when it is lost. */
  reserve(lengthBytes: number): number {
    const size = SIZE_BYTES + ((lengthBytes + 3) & ~3);
    const written = this.#head[WRITTEN]!;
    const free = this.#capacity - ((written - Atomics.load(this.#head, READ)) | 0);
    const at = written & (this.#capacity - 1);
    const toEnd = this.#capacity - at;
    const skipped = toEnd < size ? toEnd : 0;
    if (skipped + size > free) {
      Atomics.add(this.#head, LOST, 1);
      return -1;
    }
    if (skipped > 0) this.#words[at >> 2] = 0;
    const start = skipped > 0 ? 0 : at;
    this.#words[start >> 2] = size;
    this.#reserved = skipped + size;
    return start + SIZE_BYTES;
  }

  /** Hands over what has been written at the last `reserve`. */
  commit(): void {
    Atomics.store(this.#head, WRITTEN, (this.#head[WRITTEN]! + this.#reserved) | 0);
  }

  /** @returns where the oldest record is, or -1 when there is none. */
  next(): number {
    const written = Atomics.load(this.#head, WRITTEN);
    let read = this.#head[READ]!;
    if (read === written) return -1;
    if (this.#words[(read & (this.#capacity - 1)) >> 2] === 0) {
      read = (read + this.#capacity - (read & (this.#capacity - 1))) | 0;
      Atomics.store(this.#head, READ, read);
    }
    return (read & (this.#capacity - 1)) + SIZE_BYTES;
  }

  /** Gives the room of the record that `next` has shown. */
  release(): void {
    const read = this.#head[READ]!;
    Atomics.store(this.#head, READ, (read + this.#words[(read & (this.#capacity - 1)) >> 2]!) | 0);
  }
}

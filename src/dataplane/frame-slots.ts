/**
 * Copies of a few frames that wait for something, in slots of one size; a worker's own memory. The slots go round: when
 * all are taken, the oldest frame makes room for the next. Who waits for what is kept beside them, by number of the slot.
 *
 * A frame is kept as it came in, and goes through the pipeline once more when its time has come: so nothing that may have
 * changed meanwhile (a flow, a route, an epoch) is decided too early.
 */
import type { FrameBatch } from "./frame-batch.ts";

/** Finds room in the frame memory for a frame. @returns its offset there, -1 when there is none. */
export type FindRoom = () => number;

export const NO_SLOT = -1;

export class FrameSlots {
  readonly capacity: number;
  readonly #slotBytes: number;
  readonly #bytes: Uint8Array;
  /** 0: the slot is free. */
  readonly #length: Int32Array;
  readonly #port: Uint8Array;
  readonly #since: Int32Array;
  /** Where the next frame goes: the oldest one, if there is any there. */
  #next = 0;
  #count = 0;

  /** @param slotBytes of the longest frame that can be kept. */
  constructor(capacity: number, slotBytes: number) {
    this.capacity = capacity;
    this.#slotBytes = slotBytes;
    this.#bytes = new Uint8Array(capacity * slotBytes);
    this.#length = new Int32Array(capacity);
    this.#port = new Uint8Array(capacity);
    this.#since = new Int32Array(capacity);
  }

  /** How many frames wait. */
  get count(): number {
    return this.#count;
  }

  /** A slot by its age: 0 is the one that was, or will be, taken first. */
  byAge(age: number): number {
    return (this.#next + age) % this.capacity;
  }

  isTaken(slot: number): boolean {
    return this.#length[slot] !== 0;
  }

  /** Second in which a frame came. */
  since(slot: number): number {
    return this.#since[slot]!;
  }

  /**
   * Keeps a frame, or one whose headers and payload lie apart.
   * @param payload where the second part begins; none has length 0.
   * @returns its slot; NO_SLOT for a frame that is too long.
   */
  keep(
    memory: Uint8Array,
    offset: number,
    frontBytes: number,
    payload: number,
    payloadBytes: number,
    port: number,
    now: number,
  ): number {
    const length = frontBytes + payloadBytes;
    if (length > this.#slotBytes) return NO_SLOT;
    const slot = this.#next;
    this.#next = (slot + 1) % this.capacity;
    if (this.#length[slot] === 0) this.#count++;
    copyBytes(this.#bytes, slot * this.#slotBytes, memory, offset, frontBytes);
    copyBytes(this.#bytes, slot * this.#slotBytes + frontBytes, memory, payload, payloadBytes);
    this.#length[slot] = length;
    this.#port[slot] = port;
    this.#since[slot] = now;
    return slot;
  }

  free(slot: number): void {
    this.#length[slot] = 0;
    this.#count--;
  }

  /** Moves a frame to a place of a batch, as if it came in just now. @returns whether there was room for it. */
  moveTo(batch: FrameBatch, place: number, slot: number, memory: Uint8Array, findRoom: FindRoom): boolean {
    const length = this.#length[slot]!;
    this.free(slot);
    const offset = findRoom();
    if (offset < 0) return false;
    copyBytes(memory, offset, this.#bytes, slot * this.#slotBytes, length);
    batch.offset[place] = offset;
    batch.length[place] = length;
    batch.port[place] = this.#port[slot]!;
    return true;
  }
}

/** Byte by byte: a subarray would be an object for each frame that somebody makes wait. */
function copyBytes(into: Uint8Array, at: number, from: Uint8Array, fromAt: number, length: number): void {
  for (let index = 0; index < length; index++) into[at + index] = from[fromAt + index]!;
}

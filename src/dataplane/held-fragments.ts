/**
 * Fragments that came before the first one of their packet: held, a few and not for long, until it comes (RFC 4787
 * REQ-14). Those that we cut ourselves are held as well, until the next look. A worker's own memory; when it is full the oldest goes.
 */
import { type FlowKey, KEY_WORDS } from "./flow-key.ts";
import { type FragmentTable, NO_FRAGMENT } from "./fragment-table.ts";
import type { FrameBatch } from "./frame-batch.ts";

const SLOTS = 64;
const HOLD_SECONDS = 2;

/** Finds room in the frame memory for a frame. @returns its offset there, -1 when there is none. */
export type FindRoom = () => number;

export class HeldFragments {
  readonly #slotBytes: number;
  readonly #bytes: Uint8Array;
  readonly #keys = Array.from({ length: SLOTS }, () => new Int32Array(KEY_WORDS));
  readonly #identification = new Int32Array(SLOTS);
  /** 0: the slot is free. */
  readonly #length = new Int32Array(SLOTS);
  readonly #port = new Uint8Array(SLOTS);
  readonly #since = new Int32Array(SLOTS);
  #next = 0;
  #count = 0;

  /** @param slotBytes of the longest frame that can be held. */
  constructor(slotBytes: number) {
    this.#slotBytes = slotBytes;
    this.#bytes = new Uint8Array(SLOTS * slotBytes);
  }

  /** Whether anything is held: worth a look now and then. */
  get count(): number {
    return this.#count;
  }

  /**
   * Holds a frame, or one whose headers and payload lie apart.
   * @param payload where the second part begins; none has length 0.
   * @returns whether the frame could be held.
   */
  hold(
    key: FlowKey,
    identification: number,
    memory: Uint8Array,
    offset: number,
    frontBytes: number,
    payload: number,
    payloadBytes: number,
    port: number,
    now: number,
  ): boolean {
    const length = frontBytes + payloadBytes;
    if (length > this.#slotBytes) return false;
    const slot = this.#next;
    this.#next = (slot + 1) % SLOTS;
    if (this.#length[slot] === 0) this.#count++;
    this.#keys[slot]!.set(key);
    this.#identification[slot] = identification;
    copyBytes(this.#bytes, slot * this.#slotBytes, memory, offset, frontBytes);
    copyBytes(this.#bytes, slot * this.#slotBytes + frontBytes, memory, payload, payloadBytes);
    this.#length[slot] = length;
    this.#port[slot] = port;
    this.#since[slot] = now;
    return true;
  }

  /**
   * Moves those frames into a batch whose first fragment has come meanwhile; the pipeline then runs once more. Frees
   * those that have waited too long.
   * @returns how many there are.
   */
  release(batch: FrameBatch, fragments: FragmentTable, memory: Uint8Array, findRoom: FindRoom, now: number): number {
    let count = 0;
    for (let slot = 0; slot < SLOTS && count < batch.capacity; slot++) {
      const length = this.#length[slot]!;
      if (length === 0) continue;
      const known = fragments.find(this.#keys[slot]!, this.#identification[slot]!, now) !== NO_FRAGMENT;
      if (!known && now - this.#since[slot]! <= HOLD_SECONDS) continue;
      this.#length[slot] = 0;
      this.#count--;
      if (!known) continue;
      const offset = findRoom();
      if (offset < 0) continue;
      copyBytes(memory, offset, this.#bytes, slot * this.#slotBytes, length);
      batch.offset[count] = offset;
      batch.length[count] = length;
      batch.port[count] = this.#port[slot]!;
      count++;
    }
    batch.count = count;
    return count;
  }
}

/** Byte by byte: a subarray would be an object for each fragment that somebody sends out of turn. */
function copyBytes(into: Uint8Array, at: number, from: Uint8Array, fromAt: number, length: number): void {
  for (let index = 0; index < length; index++) into[at + index] = from[fromAt + index]!;
}

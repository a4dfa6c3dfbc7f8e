/**
 * Fragments that came before the first one of their packet: held, a few and not for long, until it comes (RFC 4787
 * REQ-14). Those that we cut ourselves are held as well, until the next look.
 */
import { type FlowKey, KEY_WORDS } from "./flow-key.ts";
import { type FragmentTable, NO_FRAGMENT } from "./fragment-table.ts";
import type { FrameBatch } from "./frame-batch.ts";
import { type FindRoom, FrameSlots, NO_SLOT } from "./frame-slots.ts";

const SLOTS = 64;
const HOLD_SECONDS = 2;

export class HeldFragments {
  readonly #slots: FrameSlots;
  readonly #keys = Array.from({ length: SLOTS }, () => new Int32Array(KEY_WORDS));
  readonly #identification = new Int32Array(SLOTS);

  /** @param slotBytes of the longest frame that can be held. */
  constructor(slotBytes: number) {
    this.#slots = new FrameSlots(SLOTS, slotBytes);
  }

  /** Whether anything is held: worth a look now and then. */
  get count(): number {
    return this.#slots.count;
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
    const slot = this.#slots.keep(memory, offset, frontBytes, payload, payloadBytes, port, now);
    if (slot === NO_SLOT) return false;
    this.#keys[slot]!.set(key);
    this.#identification[slot] = identification;
    return true;
  }

  /**
   * Moves those frames into a batch whose first fragment has come meanwhile; the pipeline then runs once more. Frees
   * those that have waited too long.
   * @returns how many there are.
   */
  release(batch: FrameBatch, fragments: FragmentTable, memory: Uint8Array, findRoom: FindRoom, now: number): number {
    const slots = this.#slots;
    let count = 0;
    for (let age = 0; age < SLOTS && count < batch.capacity; age++) {
      const slot = slots.byAge(age);
      if (!slots.isTaken(slot)) continue;
      if (fragments.find(this.#keys[slot]!, this.#identification[slot]!, now) !== NO_FRAGMENT) {
        if (slots.moveTo(batch, count, slot, memory, findRoom)) count++;
      } else if (now - slots.since(slot) > HOLD_SECONDS) {
        slots.free(slot);
      }
    }
    batch.count = count;
    return count;
  }
}

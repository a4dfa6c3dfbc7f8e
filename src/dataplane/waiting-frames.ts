/**
 * Frames whose next hop has no MAC yet: they wait until the kernel has resolved it (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2), so
 * that the first packet to a new neighbour is late by a round trip of ARP instead of lost. A SYN that is lost costs its
 * client a second.
 *
 * A few for each next hop, the latest ones, and not for longer than a client waits before it sends again by itself.
 */
import { ADDRESS_WORDS, copyAddress, sameAddress } from "../wire/raw.ts";
import type { FrameBatch } from "./frame-batch.ts";
import { type FindRoom, FrameSlots, NO_SLOT } from "./frame-slots.ts";
import { type NeighborTable, NO_NEIGHBOR } from "./neighbor-table.ts";

const SLOTS = 64;
/** Linux kept as many (unres_qlen) before it counted bytes. */
const SLOTS_PER_NEXT_HOP = 3;
const PATIENCE_SECONDS = 1;

export class WaitingFrames {
  readonly #slots: FrameSlots;
  /** By slot: address of the next hop, and the port that it is behind. */
  readonly #nextHop = new Int32Array(SLOTS * ADDRESS_WORDS);
  readonly #outPort = new Uint8Array(SLOTS);

  /** @param slotBytes of the longest frame that can wait. */
  constructor(slotBytes: number) {
    this.#slots = new FrameSlots(SLOTS, slotBytes);
  }

  get count(): number {
    return this.#slots.count;
  }

  /**
   * Keeps a frame, as it came in by `port`, until the next hop `words[at]` behind `outPort` has a MAC.
   * @returns whether it could be kept.
   */
  hold(
    memory: Uint8Array,
    offset: number,
    length: number,
    port: number,
    words: Int32Array,
    at: number,
    outPort: number,
    now: number,
  ): boolean {
    this.#makeRoom(words, at, outPort);
    const slot = this.#slots.keep(memory, offset, length, 0, 0, port, now);
    if (slot === NO_SLOT) return false;
    copyAddress(this.#nextHop, slot * ADDRESS_WORDS, words, at);
    this.#outPort[slot] = outPort;
    return true;
  }

  /** Moves those frames into a batch whose next hop has a MAC by now, the oldest first. @returns how many there are. */
  release(batch: FrameBatch, neighbors: NeighborTable, memory: Uint8Array, findRoom: FindRoom): number {
    const slots = this.#slots;
    let count = 0;
    for (let age = 0; age < SLOTS && count < batch.capacity; age++) {
      const slot = slots.byAge(age);
      if (!slots.isTaken(slot)) continue;
      const neighbor = neighbors.find(this.#nextHop, slot * ADDRESS_WORDS, this.#outPort[slot]!);
      if (neighbor === NO_NEIGHBOR || !neighbors.isValid(neighbor)) continue;
      if (slots.moveTo(batch, count, slot, memory, findRoom)) count++;
    }
    batch.count = count;
    return count;
  }

  /** Moves those frames into a batch that have waited in vain: their senders are to be told. @returns how many there are. */
  giveUp(batch: FrameBatch, memory: Uint8Array, findRoom: FindRoom, now: number): number {
    const slots = this.#slots;
    let count = 0;
    for (let age = 0; age < SLOTS && count < batch.capacity; age++) {
      const slot = slots.byAge(age);
      if (!slots.isTaken(slot) || now - slots.since(slot) <= PATIENCE_SECONDS) continue;
      if (slots.moveTo(batch, count, slot, memory, findRoom)) count++;
    }
    batch.count = count;
    return count;
  }

  /** Frees the oldest frame for a next hop that has its share. */
  #makeRoom(words: Int32Array, at: number, outPort: number): void {
    const slots = this.#slots;
    let oldest = NO_SLOT;
    let waiting = 0;
    for (let age = 0; age < SLOTS; age++) {
      const slot = slots.byAge(age);
      if (!slots.isTaken(slot) || this.#outPort[slot] !== outPort) continue;
      if (!sameAddress(this.#nextHop, slot * ADDRESS_WORDS, words, at)) continue;
      if (waiting++ === 0) oldest = slot;
    }
    if (waiting >= SLOTS_PER_NEXT_HOP) slots.free(oldest);
  }
}

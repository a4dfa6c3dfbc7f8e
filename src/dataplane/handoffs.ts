/**
 * Addresses that another node on the link has just handed to this one: its connections are still in its own flow table, so
 * segments of flows that are unknown here are sent on to it, as they are, for a while. So a planned move breaks no
 * connection whose backend saw the other node's address.
 *
 * An address that moves on takes its connections along: the node in the middle sends on what comes from the new owner to
 * the one before. Nobody has an entry that leads to the present owner, so no frame goes round.
 *
 * Shared memory, one writer (the announcer), workers read.
 *
 *   word 0 slots in use   then slots of [until (monotonic seconds, 0: free), address (wire/raw.ts), MAC: 32 and 16 bits]
 */
import type { Mac } from "../net/mac.ts";
import { ADDRESS_WORDS, copyAddress, sameAddress } from "../wire/raw.ts";

const SLOTS = 256;
const SLOT_WORDS = 1 + ADDRESS_WORDS + 2;
const MAC_WORD = 1 + ADDRESS_WORDS;

/** For so long the connections of an old owner are sent on to it: what is left then is judged like any flow that this node never saw. */
export const HANDOFF_SECONDS = 300;

/** What `find` gives where there is none. */
export const NO_HANDOFF = -1;

export class Handoffs {
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer((1 + SLOTS * SLOT_WORDS) * 4))) {
    this.words = words;
  }

  /** With all slots taken an address goes without: its connections are then judged like any that this node never saw. */
  set(address: Int32Array, mac: Mac, untilSeconds: number): void {
    this.remove(address);
    const { words } = this;
    for (let index = 0; index < SLOTS; index++) {
      const slot = 1 + index * SLOT_WORDS;
      if (words[slot] !== 0) continue;
      copyAddress(words, slot + 1, address, 0);
      const bytes = new DataView(new ArrayBuffer(8));
      bytes.setBigUint64(0, BigInt(mac) << 16n);
      words[slot + MAC_WORD] = bytes.getInt32(0, true);
      words[slot + MAC_WORD + 1] = bytes.getUint16(4, true);
      Atomics.store(words, slot, untilSeconds);
      Atomics.store(words, 0, Math.max(words[0]!, index + 1));
      return;
    }
  }

  remove(address: Int32Array): void {
    const { words } = this;
    for (let index = 0; index < words[0]!; index++) {
      const slot = 1 + index * SLOT_WORDS;
      if (words[slot] !== 0 && sameAddress(words, slot + 1, address, 0)) Atomics.store(words, slot, 0);
    }
  }

  /** The slot of an address; `NO_HANDOFF` without one that still holds. */
  find(address: Int32Array, at: number, nowSeconds: number): number {
    const { words } = this;
    const used = Atomics.load(words, 0);
    for (let index = 0; index < used; index++) {
      const slot = 1 + index * SLOT_WORDS;
      if (Atomics.load(words, slot) >= nowSeconds && sameAddress(words, slot + 1, address, at)) return slot;
    }
    return NO_HANDOFF;
  }

  /** When the address came here, seconds. */
  since(slot: number): number {
    return this.words[slot]! - HANDOFF_SECONDS;
  }

  /** The other node's MAC as the wire has it: its first four bytes, */
  macFirst(slot: number): number {
    return this.words[slot + MAC_WORD]!;
  }

  /** and its last two. */
  macLast(slot: number): number {
    return this.words[slot + MAC_WORD + 1]!;
  }
}

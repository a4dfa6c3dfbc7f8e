/**
 * The addresses that concern this node, as a hash in shared memory: those that it serves, and its own pods, to which other
 * nodes may send DSR requests. One entry each: address (wire/raw.ts) and flags.
 */
import type { IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, sameAddress } from "../wire/raw.ts";
import { addressWords, hashSlots, home, shared } from "./address-hash.ts";

const ENTRY_WORDS = ADDRESS_WORDS + 1;

/** All traffic to the address is ours. */
export const OWNED_SERVED = 1 << 0;
/** A pod of this node. */
export const OWNED_POD = 1 << 1;
const USED = OWNED_SERVED | OWNED_POD;
/** From here on a bit per port that answers ARP or NDP for the address. */
export const ANSWER_PORT_SHIFT = 8;

export function ownedIndex(addresses: number): Int32Array {
  return shared(ENTRY_WORDS * hashSlots(addresses));
}

/** Adds flags to an address. */
export function insertOwned(index: Int32Array, address: IpAddress, flags: number): void {
  const words = addressWords(address);
  const slots = index.length / ENTRY_WORDS;
  let slot = home(words, 0, 0, slots);
  while ((index[slot * ENTRY_WORDS + ADDRESS_WORDS]! & USED) !== 0) {
    if (sameAddress(index, slot * ENTRY_WORDS, words, 0)) break;
    slot = (slot + 1) % slots;
  }
  index.set(words, slot * ENTRY_WORDS);
  index[slot * ENTRY_WORDS + ADDRESS_WORDS]! |= flags;
}

/** The flags of an address; 0 for a stranger's. */
export function ownedFlags(index: Int32Array, words: Int32Array, at: number): number {
  const slots = index.length / ENTRY_WORDS;
  let slot = home(words, at, 0, slots);
  for (;;) {
    const entry = slot * ENTRY_WORDS;
    const flags = index[entry + ADDRESS_WORDS]!;
    if ((flags & USED) === 0) return 0;
    if (sameAddress(index, entry, words, at)) return flags;
    slot = slot + 1 === slots ? 0 : slot + 1;
  }
}

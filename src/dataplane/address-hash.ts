/** Building blocks of the forwarding table's hashes: open addressing by address, in shared memory. */
import type { IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";

/** At most half full, never full: a probe always ends. What is in it is the operator's, so the hash needs no key. */
export function hashSlots(entries: number): number {
  let slots = 8;
  while (slots < entries * 2) slots *= 2;
  return slots;
}

export function home(words: Int32Array, at: number, portAndProtocol: number, slots: number): number {
  return mixed(words, at, Math.imul(portAndProtocol, 0x85ebca6b)) & (slots - 1);
}

/**
 * Neighbouring addresses differ in their last octet, which of a raw word is the highest byte: a product alone would leave
 * its difference there, above all bits that choose a slot. So it is brought down first, and the product's high bits again
 * (the finalizer of MurmurHash3).
 */
export function mixed(words: Int32Array, at: number, seed: number): number {
  let hash =
    words[at]! ^ Math.imul(words[at + 1]!, 3) ^ Math.imul(words[at + 2]!, 5) ^ Math.imul(words[at + 3]!, 7) ^ seed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export function shared(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(words * 4));
}

export function addressWords(address: IpAddress): Int32Array {
  const words = new Int32Array(ADDRESS_WORDS);
  storeAddress(words, 0, address);
  return words;
}

/** In memory of its own. */
export function sharedCopy(words: ArrayLike<number>): Int32Array {
  const copy = shared(words.length);
  copy.set(words);
  return copy;
}

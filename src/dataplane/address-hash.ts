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
  const address = words[at]! ^ words[at + 1]! ^ words[at + 2]! ^ words[at + 3]!;
  return (Math.imul(address ^ Math.imul(portAndProtocol, 0x85ebca6b), 0x9e3779b1) >>> 8) & (slots - 1);
}

export function shared(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(words * 4));
}

export function addressWords(address: IpAddress): Int32Array {
  const words = new Int32Array(ADDRESS_WORDS);
  storeAddress(words, 0, address);
  return words;
}

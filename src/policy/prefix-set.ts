/**
 * A set of prefixes of both families, for "is this address in it": one probe into a hash table for each prefix length
 * that occurs, so 100,000 prefixes cost as much as a few. Never changes once built; workers share its memory.
 *
 *   | lengths | length 0 .. 128 of them, longest first | slot: network 4, prefix length + 1 | ...
 *
 * Lengths are those among 128 bits: an IPv4 prefix of length n is one of 96 + n.
 */
import { home } from "../dataplane/address-hash.ts";
import { applyMask, commonLength } from "../dataplane/prefix-mask.ts";
import type { IpPrefix } from "../net/ip-address.ts";
import { ADDRESS_WORDS, sameAddress, storeAddress } from "../wire/raw.ts";
import type { FlowAddress } from "./define-policy.ts";

const LENGTHS = 129;
const SLOTS_AT = 1 + LENGTHS;
const SLOT_LENGTH = ADDRESS_WORDS;
const SLOT_WORDS = ADDRESS_WORDS + 1;

export class PrefixSet {
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #masked = new Int32Array(ADDRESS_WORDS);

  /** @param words as `prefixSetMemory` made them. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#slots = (words.length - SLOTS_AT) / SLOT_WORDS;
  }

  has(address: FlowAddress): boolean {
    const words = this.#words;
    for (let index = 1; index <= words[0]!; index++) {
      const length = words[index]!;
      applyMask(address.words, address.at, length, this.#masked, 0);
      if (words[findSlot(words, this.#slots, this.#masked, length) + SLOT_LENGTH] !== 0) return true;
    }
    return false;
  }
}

/** The memory of a set. Host bits are ignored, doubles too. */
export function prefixSetMemory(prefixes: readonly IpPrefix[]): Int32Array {
  let slots = 8;
  while (slots < prefixes.length * 2) slots *= 2;
  const words = new Int32Array(new SharedArrayBuffer(4 * (SLOTS_AT + slots * SLOT_WORDS)));
  const network = new Int32Array(ADDRESS_WORDS);
  const lengths = new Set<number>();
  for (const { address, prefixLength } of prefixes) {
    const length = commonLength(address, prefixLength);
    lengths.add(length);
    storeAddress(network, 0, address);
    applyMask(network, 0, length, network, 0);
    const slot = findSlot(words, slots, network, length);
    words.set(network, slot);
    words[slot + SLOT_LENGTH] = length + 1;
  }
  words[0] = lengths.size;
  words.set(
    [...lengths].sort((a, b) => b - a),
    1,
  );
  return words;
}

/** The slot that a network is in, or the free one that it would go into. */
function findSlot(words: Int32Array, slots: number, network: Int32Array, length: number): number {
  for (let slot = home(network, 0, length, slots); ; slot = slot + 1 === slots ? 0 : slot + 1) {
    const at = SLOTS_AT + slot * SLOT_WORDS;
    const there = words[at + SLOT_LENGTH]!;
    if (there === 0 || (there === length + 1 && sameAddress(words, at, network, 0))) return at;
  }
}

/**
 * A set of prefixes of both families, for "is this address in it": one probe into a hash table for each prefix length
 * that occurs, so 100,000 prefixes cost as much as a few. Never changes once built; workers share its memory.
 *
 *   | lengths of IPv4 | of IPv6 | slots of IPv4 | 33 lengths of IPv4 | 129 of IPv6 | IPv4 slot | ... | IPv6 slot | ...
 *   length of IPv4 | raw mask | length + 1 |
 *   IPv4 slot      | raw network | length + 1 |
 *   IPv6 slot      | raw network 4 | length + 1 |
 *
 * Each family has lengths and slots of its own: an IPv4 address is one word then, and ::/0 does not hold it. Longest
 * first, for most lists are of hosts.
 */
import { home } from "../dataplane/address-hash.ts";
import { applyMask, commonLength } from "../dataplane/prefix-mask.ts";
import type { IpPrefix } from "../net/ip-address.ts";
import { ADDRESS_WORDS, isMapped, sameAddress, storeAddress } from "../wire/raw.ts";
import type { FlowAddress } from "./define-policy.ts";

const COUNT4 = 0;
const COUNT6 = 1;
const SLOTS4 = 2;
const LENGTHS4_AT = 3;
const LENGTHS6_AT = LENGTHS4_AT + 2 * 33;
const SLOTS_AT = LENGTHS6_AT + 129;
const SLOT4_WORDS = 2;
const SLOT6_LENGTH = ADDRESS_WORDS;
const SLOT6_WORDS = ADDRESS_WORDS + 1;
/** Bits before those of an IPv4 address among 128. */
const MAPPED_BITS = 96;
const IPV4_WORD = 3;

export class PrefixSet {
  readonly #words: Int32Array;
  readonly #slots4: number;
  readonly #slots6: number;
  readonly #slots6At: number;
  readonly #masked = new Int32Array(ADDRESS_WORDS);

  /** @param words as `prefixSetMemory` made them. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#slots4 = words[SLOTS4]!;
    this.#slots6At = SLOTS_AT + this.#slots4 * SLOT4_WORDS;
    this.#slots6 = (words.length - this.#slots6At) / SLOT6_WORDS;
  }

  has({ words, at }: FlowAddress): boolean {
    return isMapped(words, at) ? this.#has4(words[at + IPV4_WORD]!) : this.#has6(words, at);
  }

  #has4(address: number): boolean {
    const words = this.#words;
    const end = LENGTHS4_AT + 2 * words[COUNT4]!;
    for (let entry = LENGTHS4_AT; entry < end; entry += 2) {
      const slot = findSlot4(words, this.#slots4, address & words[entry]!, words[entry + 1]!);
      if (words[slot + 1] !== 0) return true;
    }
    return false;
  }

  #has6(address: Int32Array, at: number): boolean {
    const words = this.#words;
    const end = LENGTHS6_AT + words[COUNT6]!;
    for (let entry = LENGTHS6_AT; entry < end; entry++) {
      const length = words[entry]!;
      applyMask(address, at, length, this.#masked, 0);
      const slot = findSlot6(words, this.#slots6At, this.#slots6, this.#masked, length);
      if (words[slot + SLOT6_LENGTH] !== 0) return true;
    }
    return false;
  }
}

/** The memory of a set. Host bits are ignored, doubles too. */
export function prefixSetMemory(prefixes: readonly IpPrefix[]): Int32Array {
  const networks = prefixes.map(rawNetwork);
  const ofIpv4 = networks.filter(({ length, words }) => length >= MAPPED_BITS && isMapped(words, 0));
  const ofIpv6 = networks.filter(({ length, words }) => length < MAPPED_BITS || !isMapped(words, 0));
  const slots4 = slotsFor(ofIpv4.length);
  const slots6 = slotsFor(ofIpv6.length);
  const slots6At = SLOTS_AT + slots4 * SLOT4_WORDS;
  const set = new Int32Array(new SharedArrayBuffer(4 * (slots6At + slots6 * SLOT6_WORDS)));
  const lengths4 = longestFirst(ofIpv4);
  const lengths6 = longestFirst(ofIpv6);
  set[COUNT4] = lengths4.length;
  set[COUNT6] = lengths6.length;
  set[SLOTS4] = slots4;
  for (const [index, length] of lengths4.entries()) {
    const mask = Int32Array.of(-1, -1, -1, -1);
    applyMask(mask, 0, length, mask, 0);
    set[LENGTHS4_AT + 2 * index] = mask[IPV4_WORD]!;
    set[LENGTHS4_AT + 2 * index + 1] = length + 1;
  }
  set.set(lengths6, LENGTHS6_AT);
  for (const { words, length } of ofIpv4) {
    const network = words[IPV4_WORD]!;
    const slot = findSlot4(set, slots4, network, length + 1);
    set[slot] = network;
    set[slot + 1] = length + 1;
  }
  for (const { words, length } of ofIpv6) {
    const slot = findSlot6(set, slots6At, slots6, words, length);
    set.set(words, slot);
    set[slot + SLOT6_LENGTH] = length + 1;
  }
  return set;
}

interface RawNetwork {
  readonly words: Int32Array;
  /** Among 128 bits. */
  readonly length: number;
}

function rawNetwork({ address, prefixLength }: IpPrefix): RawNetwork {
  const words = new Int32Array(ADDRESS_WORDS);
  const length = commonLength(address, prefixLength);
  storeAddress(words, 0, address);
  applyMask(words, 0, length, words, 0);
  return { words, length };
}

function longestFirst(networks: readonly RawNetwork[]): number[] {
  return [...new Set(networks.map(({ length }) => length))].sort((a, b) => b - a);
}

/** A power of two, at most half full. */
function slotsFor(networks: number): number {
  let slots = 8;
  while (slots < networks * 2) slots *= 2;
  return slots;
}

/** The slot that a network is in, or the free one that it would go into. @param mark length + 1. */
function findSlot4(words: Int32Array, slots: number, network: number, mark: number): number {
  // A network's last octets are its highest bits here (raw words), and what chooses the slot are the low ones.
  let hash = Math.imul(network ^ (network >>> 16), 0x85ebca6b) ^ mark;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  for (let slot = hash & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
    const at = SLOTS_AT + slot * SLOT4_WORDS;
    const there = words[at + 1]!;
    if (there === 0 || (there === mark && words[at] === network)) return at;
  }
}

function findSlot6(words: Int32Array, first: number, slots: number, network: Int32Array, length: number): number {
  for (let slot = home(network, 0, length, slots); ; slot = (slot + 1) & (slots - 1)) {
    const at = first + slot * SLOT6_WORDS;
    const there = words[at + SLOT6_LENGTH]!;
    if (there === 0 || (there === length + 1 && sameAddress(words, at, network, 0))) return at;
  }
}

/**
 * The forwarding information base: longest-prefix match over the kernel's routes that leave by one of our ports.
 * Immutable; a changed routing table is a new Fib. Asked once per new flow, not per frame.
 *
 * Both families lie in one table: an IPv4 prefix of length n is one of 96 + n under ::ffff:0:0/96. For each length that
 * occurs, longest first, the masked address is looked up in a hash.
 *
 *   word 0: how many lengths   1..129: the lengths, longest first   130: hash slots
 *   then slots of 11 words: network 0..3, length + 1 (0: free), gateway 5..8, has gateway, port
 */

import type { IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, isMapped, sameAddress, storeAddress } from "../wire/raw.ts";
import { mixed } from "./address-hash.ts";
import { applyMask, commonLength } from "./prefix-mask.ts";

export interface Route {
  readonly destination: IpAddress;
  readonly prefixLength: number;
  /** Next hop, or `null` when the destination is on the link. */
  readonly gateway: IpAddress | null;
  readonly port: number;
}

const LENGTHS = 1;
const SLOTS = 130;
const TABLE = 131;
const SLOT_WORDS = 11;
const SLOT_LENGTH = 4;
const SLOT_GATEWAY = 5;
const SLOT_HAS_GATEWAY = 9;
const SLOT_PORT = 10;
const MAPPED_LENGTH = 96;

export const NO_ROUTE = -1;

export class Fib {
  readonly words: Int32Array;
  readonly #masked = new Int32Array(ADDRESS_WORDS);

  constructor(words: Int32Array) {
    this.words = words;
  }

  static build(routes: readonly Route[]): Fib {
    const entries = new Map<string, { length: number; network: Int32Array; route: Route }>();
    for (const route of routes) {
      const length = commonLength(route.destination, route.prefixLength);
      const network = new Int32Array(ADDRESS_WORDS);
      storeAddress(network, 0, route.destination);
      applyMask(network, 0, length, network, 0);
      // Of several routes to one prefix the first in the list wins: the caller lists them by metric.
      const key = `${network.join()}/${length}`;
      if (!entries.has(key)) entries.set(key, { length, network, route });
    }
    let slots = 8;
    while (slots < entries.size * 2) slots *= 2;
    const words = new Int32Array(new SharedArrayBuffer((TABLE + slots * SLOT_WORDS) * 4));
    const lengths = [...new Set([...entries.values()].map(({ length }) => length))].sort((a, b) => b - a);
    words[0] = lengths.length;
    words.set(lengths, LENGTHS);
    words[SLOTS] = slots;
    for (const { length, network, route } of entries.values()) {
      let slot = home(network, length, slots);
      while (words[TABLE + slot * SLOT_WORDS + SLOT_LENGTH] !== 0) slot = (slot + 1) % slots;
      const at = TABLE + slot * SLOT_WORDS;
      words.set(network, at);
      words[at + SLOT_LENGTH] = length + 1;
      words[at + SLOT_HAS_GATEWAY] = route.gateway === null ? 0 : 1;
      words[at + SLOT_PORT] = route.port;
      if (route.gateway !== null) storeAddress(words, at + SLOT_GATEWAY, route.gateway);
    }
    return new Fib(words);
  }

  /** Longest match for an address of four raw words. @returns an entry for the accessors below, or `NO_ROUTE`. */
  lookup(address: Int32Array, at: number): number {
    const words = this.words;
    const shortest = isMapped(address, at) ? MAPPED_LENGTH : 0;
    const slots = words[SLOTS]!;
    for (let which = 0; which < words[0]!; which++) {
      const length = words[LENGTHS + which]!;
      if (length < shortest) break;
      applyMask(address, at, length, this.#masked, 0);
      let slot = home(this.#masked, length, slots);
      for (;;) {
        const entry = TABLE + slot * SLOT_WORDS;
        const found = words[entry + SLOT_LENGTH]!;
        if (found === 0) break;
        if (found === length + 1 && sameAddress(words, entry, this.#masked, 0)) return entry;
        slot = slot + 1 === slots ? 0 : slot + 1;
      }
    }
    return NO_ROUTE;
  }

  /** All entries, for the accessors below. */
  entries(): number[] {
    const all = Array.from({ length: this.words[SLOTS]! }, (_, slot) => TABLE + slot * SLOT_WORDS);
    return all.filter((entry) => this.words[entry + SLOT_LENGTH] !== 0);
  }

  /** Length of an entry's prefix, of the 128 bits that IPv4 has too; its network is where the entry begins. */
  lengthBits(entry: number): number {
    return this.words[entry + SLOT_LENGTH]! - 1;
  }

  hasGateway(entry: number): boolean {
    return this.words[entry + SLOT_HAS_GATEWAY] !== 0;
  }

  /** Where in `words` the gateway of an entry is. */
  gatewayAt(entry: number): number {
    return entry + SLOT_GATEWAY;
  }

  port(entry: number): number {
    return this.words[entry + SLOT_PORT]!;
  }
}

function home(words: Int32Array, length: number, slots: number): number {
  return mixed(words, 0, length) & (slots - 1);
}

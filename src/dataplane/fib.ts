/**
 * The forwarding information base: longest-prefix match over the kernel's routes that leave by one of our ports.
 * Immutable; a changed routing table is a new Fib. Asked once per new flow, not per frame.
 *
 *   word 0..65: for each prefix length 32..0, first entry and end;  then entries of 3 words, sorted by network
 *   entry: network (host order, signed)   gateway (raw, 0 = on link)   port
 */
import { type Ipv4, type Ipv4Prefix, netmask } from "../net/ipv4.ts";
import { rawAddress } from "../wire/raw.ts";

export interface Route {
  readonly prefix: Ipv4Prefix;
  /** Next hop, or `null` when the destination is on the link. */
  readonly gateway: Ipv4 | null;
  readonly port: number;
}

const HEADER_WORDS = 33 * 2;
const ENTRY_WORDS = 3;

export const NO_ROUTE = -1;

export class Fib {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  static build(routes: readonly Route[]): Fib {
    // Of several routes to one prefix the first in the list wins: the caller lists them by metric.
    const unique = new Map(
      routes.toReversed().map((route) => [`${route.prefix.address}/${route.prefix.length}`, route]),
    );
    const sorted = [...unique.values()].sort(
      (a, b) => b.prefix.length - a.prefix.length || (a.prefix.address | 0) - (b.prefix.address | 0),
    );
    const words = new Int32Array(new SharedArrayBuffer((HEADER_WORDS + sorted.length * ENTRY_WORDS) * 4));
    sorted.forEach((route, entry) => {
      const at = HEADER_WORDS + entry * ENTRY_WORDS;
      words[at] = route.prefix.address;
      words[at + 1] = route.gateway === null ? 0 : rawAddress(route.gateway);
      words[at + 2] = route.port;
      const range = (32 - route.prefix.length) * 2;
      if (words[range + 1] === 0) words[range] = entry;
      words[range + 1] = entry + 1;
    });
    return new Fib(words);
  }

  /** Longest match for an address (host order). @returns an entry for `gateway` and `port`, or `NO_ROUTE`. */
  lookup(address: number): number {
    const words = this.words;
    for (let range = 0; range < HEADER_WORDS; range += 2) {
      let low = words[range]!;
      let high = words[range + 1]! - 1;
      if (high < low) continue;
      const network = (address & netmask(32 - (range >> 1))) | 0;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const at = HEADER_WORDS + middle * ENTRY_WORDS;
        const candidate = words[at]!;
        if (candidate === network) return at;
        if (candidate < network) low = middle + 1;
        else high = middle - 1;
      }
    }
    return NO_ROUTE;
  }

  /** Raw gateway of an entry; 0 when the destination is on the link. */
  gateway(entry: number): number {
    return this.words[entry + 1]!;
  }

  port(entry: number): number {
    return this.words[entry + 2]!;
  }
}

export const EMPTY_FIB = Fib.build([]);

/**
 * What a node needs for direct server return whatever the VIP: its own ends of tunnels, their ports, and who may send it
 * tunnels. A part of the forwarding table, so it changes with the epoch.
 *
 *   words   0..3 our IPv4 end   4..7 our IPv6 end   8 GUE port (raw)   9 Geneve port (raw)   10 VNI
 *           11 whether IPv4 options are in network order
 *   peers   a Fib without next hops: the prefixes whose tunnels are opened
 */
import { ADDRESS_WORDS, isMapped, sameAddress, storeAddress, swap16 } from "../wire/raw.ts";
import { Fib, NO_ROUTE } from "./fib.ts";
import type { DsrSpec } from "./forwarding-spec.ts";

const END4 = 0;
const END6 = END4 + ADDRESS_WORDS;
const GUE_PORT = END6 + ADDRESS_WORDS;
const GENEVE_PORT = GUE_PORT + 1;
const VNI = GUE_PORT + 2;
const NETWORK_ORDER = GUE_PORT + 3;
const WORDS = GUE_PORT + 4;

export interface DsrColumns {
  readonly words: Int32Array;
  readonly peers: Int32Array;
}

export class DsrTable {
  readonly words: Int32Array;
  readonly guePort: number;
  readonly genevePort: number;
  readonly vni: number;
  readonly networkOrder: boolean;
  readonly #peers: Fib;

  constructor({ words, peers }: DsrColumns) {
    this.words = words;
    this.guePort = words[GUE_PORT]!;
    this.genevePort = words[GENEVE_PORT]!;
    this.vni = words[VNI]!;
    this.networkOrder = words[NETWORK_ORDER] !== 0;
    this.#peers = new Fib(peers);
  }

  /** Where in `words` our end of tunnels of a family is. */
  endAt(isIpv4: boolean): number {
    return isIpv4 ? END4 : END6;
  }

  hasEnd(isIpv4: boolean): boolean {
    // An IPv4 end is mapped; an IPv6 address that begins with 64 zero bits is nobody's tunnel.
    return isIpv4 ? isMapped(this.words, END4) : (this.words[END6]! | this.words[END6 + 1]!) !== 0;
  }

  /** Whether an address is one of our ends. */
  isEnd(words: Int32Array, at: number): boolean {
    const end = this.endAt(isMapped(words, at));
    return this.hasEnd(end === END4) && sameAddress(this.words, end, words, at);
  }

  /** Whether tunnels from an address are opened. */
  isPeer(words: Int32Array, at: number): boolean {
    return this.#peers.lookup(words, at) !== NO_ROUTE;
  }
}

export function dsrColumns(spec: DsrSpec): DsrColumns {
  const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  if (spec.tunnel4 !== null) storeAddress(words, END4, spec.tunnel4);
  if (spec.tunnel6 !== null) storeAddress(words, END6, spec.tunnel6);
  words[GUE_PORT] = swap16(spec.guePort);
  words[GENEVE_PORT] = swap16(spec.genevePort);
  words[VNI] = spec.vni;
  words[NETWORK_ORDER] = spec.optionByteOrder === "network" ? 1 : 0;
  const routes = spec.peers.map(({ address, prefixLength }) => ({
    destination: address,
    prefixLength,
    gateway: null,
    port: 0,
  }));
  return { words, peers: Fib.build(routes).words };
}

/**
 * The forwarding table: what a worker serves, as columns in shared memory. It never changes; a new epoch replaces it
 * between two batches. Built by the main thread (build-forwarding-table.ts). Addresses are four raw words (wire/raw.ts).
 *
 *   owned     hash of owned addresses      [address, flags: OWNED | POD | bit per port that answers ARP or NDP << 8]
 *                                          local pods are here too, which other nodes may send DSR requests to
 *   vipIndex  hash of address/port/proto   [address, port (raw) << 16 | protocol, row of `vips` + 1]
 *   vips      [id, first backend, backends, its Maglev table or -1, flags, first range, ranges, mode, members,
 *             policies, Service, affinity seconds, balancing, where in `former` or -1]
 *   backends  [address, port (raw), id, address that takes tunnels, flags: LOCAL, TAKES_NEW, weight]: of each VIP
 *             first those that take new flows, then the other members
 *   byId      [VIP ids, for each where its part begins or -1,
 *             parts: [row of `vips`, backend ids, for each where in `backends` or -1]]
 *   ranges    [network, prefix length]: who may come in
 *   former    what VIPs chose from in epochs before (former-choices.ts)
 *   maglev    tables of indices among a VIP's own backends, in memory that epochs share (maglev-memory.ts)
 *
 * VIPs and backends have ids that live as long as the thing itself, across epochs: flow rows and counters refer to them.
 */

import { ADDRESS_WORDS, sameAddress } from "../wire/raw.ts";
import { home } from "./address-hash.ts";
import { type DsrColumns, DsrTable } from "./dsr-table.ts";
import {
  BACKEND_FLAGS,
  BACKEND_TUNNEL,
  BACKEND_WEIGHT,
  BACKEND_WORDS,
  FLAG_DENY,
  FLAG_LOCAL,
  FLAG_RESTRICTED,
  FLAG_TAKES_NEW,
  INDEX_WORDS,
  MODE_NAT,
  NO_BACKEND,
  RANGE_WORDS,
  SOURCE_NAT_SHIFT,
  VIP_AFFINITY,
  VIP_BALANCING,
  VIP_COUNT,
  VIP_FIRST,
  VIP_FLAGS,
  VIP_FORMER,
  VIP_MAGLEV,
  VIP_MEMBERS,
  VIP_MODE,
  VIP_POLICIES,
  VIP_RANGES,
  VIP_SERVICE,
  VIP_WORDS,
} from "./forwarding-layout.ts";
import { type MaglevColumns, maglevEntry } from "./maglev-memory.ts";
import { ANSWER_PORT_SHIFT, OWNED_POD, OWNED_SERVED, ownedFlags } from "./owned-index.ts";
import { isInside } from "./prefix-mask.ts";
import { hasPort, type SourcePortColumns } from "./source-ports.ts";

export const NO_VIP = -1;

/** The columns: typed arrays over shared memory, so that they cross threads without a copy. */
export interface ForwardingColumns {
  readonly epoch: number;
  readonly strictSyn: boolean;
  readonly rejects: boolean;
  readonly tracksFragments: boolean;
  readonly sourcePorts: SourcePortColumns;
  readonly owned: Int32Array;
  readonly vipIndex: Int32Array;
  readonly vips: Int32Array;
  readonly backends: Int32Array;
  readonly byId: Int32Array;
  readonly ranges: Int32Array;
  readonly former: Int32Array;
  readonly maglev: MaglevColumns;
  readonly dsr: DsrColumns;
}

export class ForwardingTable {
  readonly columns: ForwardingColumns;
  readonly epoch: number;
  /** Mid-flow segments of unknown flows are dropped instead of given to the backend that Maglev says. */
  readonly strictSyn: boolean;
  /** A VIP without a backend refuses rather than staying silent. */
  readonly rejects: boolean;
  /** Fragments are followed to their flow rather than dropped. */
  readonly tracksFragments: boolean;
  /** Ports for source NAT. */
  readonly sourcePorts: Uint16Array;
  readonly dsr: DsrTable;
  readonly #owned: Int32Array;
  readonly #vipIndex: Int32Array;
  readonly #vips: Int32Array;
  readonly #backends: Int32Array;
  readonly #byId: Int32Array;
  readonly #ranges: Int32Array;
  readonly #former: Int32Array;
  readonly #maglev: MaglevColumns;

  constructor(columns: ForwardingColumns) {
    this.columns = columns;
    this.epoch = columns.epoch;
    this.strictSyn = columns.strictSyn;
    this.rejects = columns.rejects;
    this.tracksFragments = columns.tracksFragments;
    this.sourcePorts = columns.sourcePorts.list;
    this.#owned = columns.owned;
    this.#vipIndex = columns.vipIndex;
    this.#vips = columns.vips;
    this.#backends = columns.backends;
    this.#byId = columns.byId;
    this.#ranges = columns.ranges;
    this.#former = columns.former;
    this.#maglev = columns.maglev;
    this.dsr = new DsrTable(columns.dsr);
  }

  /** Whether an address is ours: all traffic to it is served, answered or dropped, never passed on. */
  owns(words: Int32Array, at: number): boolean {
    return (this.#flagsOf(words, at) & OWNED_SERVED) !== 0;
  }

  /** Whether an address is that of a local pod which other nodes may send requests to. */
  isLocalPod(words: Int32Array, at: number): boolean {
    return (this.#flagsOf(words, at) & OWNED_POD) !== 0;
  }

  /** Whether we answer ARP or Neighbor Solicitations for an address on a port. */
  answersFor(words: Int32Array, at: number, port: number): boolean {
    return (this.#flagsOf(words, at) & (1 << (ANSWER_PORT_SHIFT + port))) !== 0;
  }

  /** The VIP that serves an address, port (raw) and protocol; `NO_VIP` when none does. */
  vip(words: Int32Array, at: number, port: number, protocol: number): number {
    const index = this.#vipIndex;
    const slots = index.length / INDEX_WORDS;
    const portAndProtocol = (port << 16) | protocol;
    let slot = home(words, at, portAndProtocol, slots);
    for (;;) {
      const entry = slot * INDEX_WORDS;
      const row = index[entry + ADDRESS_WORDS + 1]!;
      if (row === 0) return NO_VIP;
      if (index[entry + ADDRESS_WORDS] === portAndProtocol && sameAddress(index, entry, words, at)) {
        return (row - 1) * VIP_WORDS;
      }
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
  }

  vipId(vip: number): number {
    return this.#vips[vip]!;
  }

  /** Whether source NAT may use a port. */
  isSourcePort(port: number): boolean {
    return hasPort(this.columns.sourcePorts.set, port);
  }

  /** Whether a client may use a VIP. */
  allowsSource(vip: number, words: Int32Array, at: number): boolean {
    const flags = this.#vips[vip + VIP_FLAGS]!;
    if ((flags & FLAG_RESTRICTED) === 0) return true;
    const first = this.#vips[vip + VIP_RANGES]!;
    const count = this.#vips[vip + VIP_RANGES + 1]!;
    const denies = (flags & FLAG_DENY) !== 0;
    for (let range = first; range < first + count; range++) {
      const entry = range * RANGE_WORDS;
      if (isInside(words, at, this.#ranges, entry, this.#ranges[entry + ADDRESS_WORDS]!)) return !denies;
    }
    return denies;
  }

  /** How long a client keeps its backend after its last new flow, seconds; 0 where it keeps none. */
  affinitySeconds(vip: number): number {
    return this.#vips[vip + VIP_AFFINITY]!;
  }

  /** A number that all ports of a Service have in common. */
  service(vip: number): number {
    return this.#vips[vip + VIP_SERVICE]!;
  }

  /** How new flows find a backend: one of `BALANCING`. */
  balancing(vip: number): number {
    return this.#vips[vip + VIP_BALANCING]!;
  }

  /** How the source of a VIP's flows is translated: one of `SOURCE_NAT`. */
  sourceNat(vip: number): number {
    return this.#vips[vip + VIP_FLAGS]! >>> SOURCE_NAT_SHIFT;
  }

  /** The backend for a flow hash: one of the VIP's, or -1 when it has none that takes new flows. */
  backend(vip: number, hash: number): number {
    const first = this.#vips[vip + VIP_FIRST]!;
    const count = this.#vips[vip + VIP_COUNT]!;
    const maglev = this.#vips[vip + VIP_MAGLEV]!;
    if (maglev >= 0) return (first + maglevEntry(this.#maglev, maglev, hash)) * BACKEND_WORDS;
    return count === 1 ? first * BACKEND_WORDS : NO_BACKEND;
  }

  /** How many sets of backends a VIP chose from before. */
  formerSets(vip: number): number {
    const words = this.#vips[vip + VIP_FORMER]!;
    return words < 0 ? 0 : this.#former[words]!;
  }

  /** The backend that the flow of a hash had of such a set, the newest being 0; `NO_BACKEND` when it has gone. */
  formerBackend(vip: number, set: number, hash: number): number {
    const at = this.#former[this.#vips[vip + VIP_FORMER]! + 1 + set]!;
    const maglev = this.#former[at]!;
    const index = this.#former[at + 2 + (maglev < 0 ? 0 : maglevEntry(this.#maglev, maglev, hash))]!;
    return index < 0 ? NO_BACKEND : index * BACKEND_WORDS;
  }

  /** How many backends take new flows. */
  backendCount(vip: number): number {
    return this.#vips[vip + VIP_COUNT]!;
  }

  /** The one of an index below `backendCount`. */
  backendAt(vip: number, index: number): number {
    return (this.#vips[vip + VIP_FIRST]! + index) * BACKEND_WORDS;
  }

  /** The one that has an address, whatever its port; `NO_BACKEND` when none does. */
  servingAt(vip: number, words: Int32Array, at: number): number {
    const count = this.backendCount(vip);
    for (let index = 0; index < count; index++) {
      const backend = this.backendAt(vip, index);
      if (sameAddress(this.#backends, backend, words, at)) return backend;
    }
    return NO_BACKEND;
  }

  backendWeight(backend: number): number {
    return this.#backends[backend + BACKEND_WEIGHT]!;
  }

  /** Bits of the slots of the policies that are asked about new flows. */
  policies(vip: number): number {
    return this.#vips[vip + VIP_POLICIES]!;
  }

  /**
   * The same, of those on this node only: for requests that another node has sent here. When none of them takes new flows,
   * that node does not know it yet, and one of the others serves on.
   */
  localBackend(vip: number, hash: number): number {
    const chosen = this.backend(vip, hash);
    if (chosen !== NO_BACKEND && this.isLocal(chosen)) return chosen;
    const count = this.#vips[vip + VIP_COUNT]!;
    const serving = this.#localMember(vip, hash, 0, count);
    return serving === NO_BACKEND ? this.#localMember(vip, hash, count, this.#vips[vip + VIP_MEMBERS]!) : serving;
  }

  /** The first on this node of the members `from` to `to`, beginning at one that the hash says. */
  #localMember(vip: number, hash: number, from: number, to: number): number {
    const first = this.#vips[vip + VIP_FIRST]! + from;
    const count = to - from;
    for (let step = 0; step < count; step++) {
      const backend = (first + (((hash >>> 0) + step) % count)) * BACKEND_WORDS;
      if (this.isLocal(backend)) return backend;
    }
    return NO_BACKEND;
  }

  /** The member of a VIP, draining or not, that has an address and a port (raw). */
  member(vip: number, words: Int32Array, at: number, port: number): number {
    const first = this.#vips[vip + VIP_FIRST]!;
    for (let index = first; index < first + this.#vips[vip + VIP_MEMBERS]!; index++) {
      const backend = index * BACKEND_WORDS;
      if (this.backendPort(backend) === port && sameAddress(this.#backends, backend, words, at)) return backend;
    }
    return NO_BACKEND;
  }

  /** A DsrKind, or MODE_NAT. */
  mode(vip: number): number {
    return this.#vips[vip + VIP_MODE]!;
  }

  /** The words that `backend` points into: first the address. */
  get backends(): Int32Array {
    return this.#backends;
  }

  /** Raw, 0..65535. */
  backendPort(backend: number): number {
    return this.#backends[backend + ADDRESS_WORDS]!;
  }

  backendId(backend: number): number {
    return this.#backends[backend + ADDRESS_WORDS + 1]!;
  }

  /** The backend that the owner word of a flow row names: the VIP's id above, the backend's below. */
  backendOf(owner: number): number {
    const part = this.#partOf(owner);
    if (part < 0 || (owner & 0xffff) >= this.#byId[part + 1]!) return NO_BACKEND;
    return this.#byId[part + 2 + (owner & 0xffff)]!;
  }

  /** The mode of the VIP that an owner word names; MODE_NAT where there is none. */
  modeOf(owner: number): number {
    const part = this.#partOf(owner);
    return part < 0 ? MODE_NAT : this.mode(this.#byId[part]! * VIP_WORDS);
  }

  #partOf(owner: number): number {
    return owner >>> 16 < this.#byId[0]! ? this.#byId[1 + (owner >>> 16)]! : -1;
  }

  /** Where in `backends` the address is that takes tunnels for a backend. */
  tunnelAt(backend: number): number {
    return backend + BACKEND_TUNNEL;
  }

  isLocal(backend: number): boolean {
    return (this.#backends[backend + BACKEND_FLAGS]! & FLAG_LOCAL) !== 0;
  }

  /** Whether the backend that an owner word names is configured and takes new flows. */
  takesNewFlows(owner: number): boolean {
    const backend = this.backendOf(owner);
    return backend !== NO_BACKEND && (this.#backends[backend + BACKEND_FLAGS]! & FLAG_TAKES_NEW) !== 0;
  }

  #flagsOf(words: Int32Array, at: number): number {
    return ownedFlags(this.#owned, words, at);
  }
}

/**
 * The forwarding table: what a worker serves, as columns in shared memory. It never changes; a new epoch replaces it
 * between two batches. Built by the main thread from a `ForwardingSpec`.
 *
 *   owned     hash of owned addresses      [address (raw), flags: USED | bit per port that answers ARP << 8]
 *   vipIndex  hash of address/port/proto   [address (raw), port (raw) << 16 | protocol, row of `vips` + 1]
 *   vips      [id, first backend, backends, first Maglev slot or -1, Maglev slots]
 *   backends  [address (raw), port (raw), id]
 *   maglev    slots of all VIPs, each an index among the VIP's own backends
 *
 * VIPs and backends have ids that live as long as the thing itself, across epochs: flow rows and counters refer to them.
 */

import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { rawAddress, swap16 } from "../wire/raw.ts";
import type { HashKey } from "./flow-hash.ts";
import type { BackendSpec, ForwardingSpec, TransportProtocol, VipSpec } from "./forwarding-spec.ts";
import type { IdRegistry } from "./id-registry.ts";
import { fillMaglev } from "./maglev.ts";

export const NO_VIP = -1;
const VIP_WORDS = 5;
const BACKEND_WORDS = 3;
const OWNED_WORDS = 2;
const INDEX_WORDS = 3;
const OWNED_USED = 1;
const ARP_PORT_SHIFT = 8;

export const PROTOCOL_NUMBER: Readonly<Record<TransportProtocol, number>> = {
  TCP: PROTOCOL_TCP,
  UDP: PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
};

/** The columns: typed arrays over shared memory, so that they cross threads without a copy. */
export interface ForwardingColumns {
  readonly epoch: number;
  readonly strictSyn: boolean;
  readonly owned: Int32Array;
  readonly vipIndex: Int32Array;
  readonly vips: Int32Array;
  readonly backends: Int32Array;
  readonly maglev: Uint16Array;
}

export class ForwardingTable {
  readonly columns: ForwardingColumns;
  readonly epoch: number;
  /** Mid-flow segments of unknown flows are dropped instead of given to the backend that Maglev says. */
  readonly strictSyn: boolean;
  readonly #owned: Int32Array;
  readonly #vipIndex: Int32Array;
  readonly #vips: Int32Array;
  readonly #backends: Int32Array;
  readonly #maglev: Uint16Array;

  constructor(columns: ForwardingColumns) {
    this.columns = columns;
    this.epoch = columns.epoch;
    this.strictSyn = columns.strictSyn;
    this.#owned = columns.owned;
    this.#vipIndex = columns.vipIndex;
    this.#vips = columns.vips;
    this.#backends = columns.backends;
    this.#maglev = columns.maglev;
  }

  /** Whether an address (raw) is ours: all traffic to it is served, answered or dropped, never passed on. */
  owns(address: number): boolean {
    return findAddress(this.#owned, address) >= 0;
  }

  /** Whether we answer ARP for an address (raw) on a port. */
  answersArp(address: number, port: number): boolean {
    const at = findAddress(this.#owned, address);
    return at >= 0 && (this.#owned[at + 1]! & (1 << (ARP_PORT_SHIFT + port))) !== 0;
  }

  /** The VIP that serves an address (raw), port (raw) and protocol; `NO_VIP` when none does. */
  vip(address: number, port: number, protocol: number): number {
    const index = this.#vipIndex;
    const slots = index.length / INDEX_WORDS;
    const portAndProtocol = (port << 16) | protocol;
    let slot = vipHome(address, portAndProtocol, slots);
    for (;;) {
      const at = slot * INDEX_WORDS;
      const row = index[at + 2]!;
      if (row === 0) return NO_VIP;
      if (index[at] === address && index[at + 1] === portAndProtocol) return (row - 1) * VIP_WORDS;
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
  }

  vipId(vip: number): number {
    return this.#vips[vip]!;
  }

  /** The backend for a flow hash: one of the VIP's, or -1 when it has none that takes new flows. */
  backend(vip: number, hash: number): number {
    const first = this.#vips[vip + 1]!;
    const count = this.#vips[vip + 2]!;
    const maglev = this.#vips[vip + 3]!;
    if (maglev >= 0) return (first + this.#maglev[maglev + ((hash >>> 0) % this.#vips[vip + 4]!)]!) * BACKEND_WORDS;
    return count === 1 ? first * BACKEND_WORDS : -1;
  }

  backendAddress(backend: number): number {
    return this.#backends[backend]!;
  }

  /** Raw, 0..65535. */
  backendPort(backend: number): number {
    return this.#backends[backend + 1]!;
  }

  backendId(backend: number): number {
    return this.#backends[backend + 2]!;
  }
}

/** Ids and port names that a table is built with; the registry outlives it. */
export interface BuildContext {
  readonly epoch: number;
  readonly key: HashKey;
  readonly ids: IdRegistry;
  /** Interface names by port id, for ARP. */
  readonly portNames: readonly string[];
}

export function buildForwardingTable(spec: ForwardingSpec, context: BuildContext): ForwardingTable {
  const serving = spec.vips.map((vip) => ({ vip, backends: vip.backends.filter(takesNewFlows) }));
  const backendCount = serving.reduce((sum, { backends }) => sum + backends.length, 0);
  const balanced = serving.filter(({ backends }) => backends.length > 1).length;

  const owned = shared(OWNED_WORDS * hashSlots(spec.owned.length));
  const vipIndex = shared(INDEX_WORDS * hashSlots(serving.length));
  const vips = shared(VIP_WORDS * serving.length);
  const backends = shared(BACKEND_WORDS * backendCount);
  const maglev = new Uint16Array(new SharedArrayBuffer(2 * balanced * spec.maglevTableSize));

  for (const { address, arpInterfaces } of spec.owned) {
    let ports = 0;
    context.portNames.forEach((name, port) => {
      if (arpInterfaces === "all" || arpInterfaces.includes(name)) ports |= 1 << port;
    });
    insertOwned(owned, rawAddress(address), OWNED_USED | (ports << ARP_PORT_SHIFT));
  }

  let nextBackend = 0;
  let nextSlot = 0;
  serving.forEach(({ vip, backends: members }, row) => {
    const at = row * VIP_WORDS;
    vips[at] = context.ids.vip(vip);
    vips[at + 1] = nextBackend;
    vips[at + 2] = members.length;
    vips[at + 3] = -1;
    if (members.length > 1) {
      fillMaglev(maglev.subarray(nextSlot, nextSlot + spec.maglevTableSize), members, context.key);
      vips[at + 3] = nextSlot;
      vips[at + 4] = spec.maglevTableSize;
      nextSlot += spec.maglevTableSize;
    }
    for (const member of members) {
      const backend = nextBackend++ * BACKEND_WORDS;
      backends[backend] = rawAddress(member.address);
      backends[backend + 1] = swap16(member.port);
      backends[backend + 2] = context.ids.backend(vip, member);
    }
    insertVip(vipIndex, vip, row);
  });

  const { strictSyn } = spec;
  return new ForwardingTable({ epoch: context.epoch, strictSyn, owned, vipIndex, vips, backends, maglev });
}

function takesNewFlows(backend: BackendSpec): boolean {
  return backend.weight > 0 && !backend.draining;
}

function insertOwned(index: Int32Array, address: number, flags: number): void {
  const slots = index.length / OWNED_WORDS;
  let slot = addressHome(address, slots);
  while ((index[slot * OWNED_WORDS + 1]! & OWNED_USED) !== 0) slot = (slot + 1) % slots;
  index[slot * OWNED_WORDS] = address;
  index[slot * OWNED_WORDS + 1] = flags;
}

function findAddress(index: Int32Array, address: number): number {
  const slots = index.length / OWNED_WORDS;
  let slot = addressHome(address, slots);
  for (;;) {
    const at = slot * OWNED_WORDS;
    if ((index[at + 1]! & OWNED_USED) === 0) return -1;
    if (index[at] === address) return at;
    slot = slot + 1 === slots ? 0 : slot + 1;
  }
}

function insertVip(index: Int32Array, vip: VipSpec, row: number): void {
  const slots = index.length / INDEX_WORDS;
  const address = rawAddress(vip.address);
  const portAndProtocol = (swap16(vip.port) << 16) | PROTOCOL_NUMBER[vip.protocol];
  let slot = vipHome(address, portAndProtocol, slots);
  while (index[slot * INDEX_WORDS + 2] !== 0) slot = (slot + 1) % slots;
  index[slot * INDEX_WORDS] = address;
  index[slot * INDEX_WORDS + 1] = portAndProtocol;
  index[slot * INDEX_WORDS + 2] = row + 1;
}

/** At most half full, never full: a probe always ends. What is in it is the operator's, so the hash needs no key. */
function hashSlots(entries: number): number {
  let slots = 8;
  while (slots < entries * 2) slots *= 2;
  return slots;
}

function addressHome(address: number, slots: number): number {
  return (Math.imul(address, 0x9e3779b1) >>> 8) & (slots - 1);
}

function vipHome(address: number, portAndProtocol: number, slots: number): number {
  return (Math.imul(address ^ Math.imul(portAndProtocol, 0x85ebca6b), 0x9e3779b1) >>> 8) & (slots - 1);
}

function shared(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(words * 4));
}

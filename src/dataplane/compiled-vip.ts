/**
 * One VIP in the words of the forwarding table, with its backends counted from the VIP's first one. It depends on nothing
 * but the VIP's spec, its ids and our ends of tunnels, so of an epoch's VIPs only the changed ones are made anew.
 */
import type { IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, storeAddress, swap16 } from "../wire/raw.ts";
import { addressWords } from "./address-hash.ts";
import type { DsrTable } from "./dsr-table.ts";
import {
  BACKEND_FLAGS,
  BACKEND_TUNNEL,
  BACKEND_WEIGHT,
  BACKEND_WORDS,
  BALANCING,
  FLAG_DENY,
  FLAG_LOCAL,
  FLAG_RESTRICTED,
  FLAG_TAKES_NEW,
  MODE_NUMBER,
  RANGE_WORDS,
  SOURCE_NAT,
  SOURCE_NAT_SHIFT,
} from "./forwarding-layout.ts";
import { type BackendSpec, DEFAULT_AFFINITY_SECONDS, type SourceRanges, type VipSpec } from "./forwarding-spec.ts";
import type { VipIds } from "./id-registry.ts";
import { MaglevMemory } from "./maglev-memory.ts";
import { applyMask, commonLength } from "./prefix-mask.ts";

export interface CompiledVip {
  readonly ids: VipIds;
  /** Those that take new flows. */
  readonly serving: readonly BackendSpec[];
  /** All, in the order of `backends`. */
  readonly members: readonly BackendSpec[];
  /** The name of their Maglev table; `null` where there is nothing to choose. */
  readonly maglev: string | null;
  /** Of all members, those that take new flows first. */
  readonly backends: Int32Array;
  /** Which of `ids.backends` each of them has. */
  readonly backendIds: readonly number[];
  readonly ranges: Int32Array;
  readonly flags: number;
  readonly mode: number;
  /** The same for all ports of a Service. */
  readonly service: number;
  /** 0 for none. */
  readonly affinitySeconds: number;
  readonly balancing: number;
  /** Those of its backends that are on this node. */
  readonly pods: readonly IpAddress[];
  readonly address: Int32Array;
}

export function compileVip(vip: VipSpec, ids: VipIds, ends: DsrTable): CompiledVip {
  const order = vip.backends.map((_, index) => index);
  const serving = order.filter((index) => takesNewFlows(vip.backends[index]!));
  const members = [...serving, ...order.filter((index) => !takesNewFlows(vip.backends[index]!))];
  const backends = new Int32Array(BACKEND_WORDS * members.length);
  const isEnd = (node: IpAddress | null) => node !== null && ends.isEnd(addressWords(node), 0);
  members.forEach((index, place) => {
    const { address, port, node } = vip.backends[index]!;
    const at = place * BACKEND_WORDS;
    storeAddress(backends, at, address);
    backends[at + ADDRESS_WORDS] = swap16(port);
    backends[at + ADDRESS_WORDS + 1] = ids.backends[index]!;
    storeAddress(backends, at + BACKEND_TUNNEL, node ?? address);
    backends[at + BACKEND_FLAGS] =
      (isEnd(node) ? FLAG_LOCAL : 0) | (takesNewFlows(vip.backends[index]!) ? FLAG_TAKES_NEW : 0);
    backends[at + BACKEND_WEIGHT] = vip.backends[index]!.weight;
  });
  const takers = serving.map((index) => vip.backends[index]!);
  return {
    ids,
    serving: takers,
    members: members.map((index) => vip.backends[index]!),
    maglev: takers.length > 1 ? MaglevMemory.nameOf(takers) : null,
    backends,
    backendIds: members.map((index) => ids.backends[index]!),
    ranges: rangeWords(vip.sources),
    flags: sourceFlags(vip.sources) | (SOURCE_NAT[vip.sourceNat] << SOURCE_NAT_SHIFT),
    mode: MODE_NUMBER[vip.mode],
    service: serviceNumber(vip),
    affinitySeconds: vip.affinity ? (vip.affinitySeconds ?? DEFAULT_AFFINITY_SECONDS) : 0,
    balancing: BALANCING[vip.balancing ?? "maglev"],
    pods: vip.backends.filter(({ node }) => isEnd(node)).map(({ address }) => address),
    address: addressWords(vip.address),
  };
}

/** The others keep the flows that they have. */
export function takesNewFlows(backend: BackendSpec): boolean {
  return backend.weight > 0 && !backend.draining;
}

function rangeWords(sources: SourceRanges | null): Int32Array {
  const ranges = sources?.ranges ?? [];
  const words = new Int32Array(RANGE_WORDS * ranges.length);
  ranges.forEach(({ address, prefixLength }, index) => {
    const entry = index * RANGE_WORDS;
    const length = commonLength(address, prefixLength);
    storeAddress(words, entry, address);
    applyMask(words, entry, length, words, entry);
    words[entry + ADDRESS_WORDS] = length;
  });
  return words;
}

function sourceFlags(sources: SourceRanges | null): number {
  if (sources === null) return 0;
  return sources.action === "deny" ? FLAG_RESTRICTED | FLAG_DENY : FLAG_RESTRICTED;
}

/** Its name as a number (FNV-1a), the same in every epoch; two Services with one number would share their clients' choices. */
function serviceNumber({ service }: VipSpec): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < service.length; at++) hash = Math.imul(hash ^ service.charCodeAt(at), 0x01000193);
  return hash;
}

/**
 * Builds a forwarding table from a `ForwardingSpec`. With the memory of the epoch before, VIPs whose spec is the same object
 * are copied rather than made, so the cost of an epoch is that of its changes and of copying some megabytes.
 */
import { ADDRESS_WORDS, swap16 } from "../wire/raw.ts";
import { hashSlots, home, shared, sharedCopy } from "./address-hash.ts";
import type { CompiledVip } from "./compiled-vip.ts";
import { DsrTable, dsrColumns } from "./dsr-table.ts";
import type { HashKey } from "./flow-hash.ts";
import {
  BACKEND_WORDS,
  INDEX_WORDS,
  NO_BACKEND,
  PROTOCOL_NUMBER,
  RANGE_WORDS,
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
import type { ForwardingSpec, OwnedAddress, VipSpec } from "./forwarding-spec.ts";
import { ForwardingTable } from "./forwarding-table.ts";
import type { IdRegistry } from "./id-registry.ts";
import { ANSWER_PORT_SHIFT, insertOwned, OWNED_POD, OWNED_SERVED, ownedIndex } from "./owned-index.ts";
import { TableMemory } from "./table-memory.ts";

/** Ids and port names that a table is built with; the registry outlives it. */
interface BuildContext {
  readonly epoch: number;
  readonly key: HashKey;
  readonly ids: IdRegistry;
  /** What is known from the epoch before; absent, everything is computed. */
  readonly memory?: TableMemory;
  /** Slot of each policy that is in force, by name; absent where there are none. */
  readonly policySlots?: ReadonlyMap<string, number>;
  /** Interface names by port id, for ARP and NDP. */
  readonly portNames: readonly string[];
}

export function buildForwardingTable(spec: ForwardingSpec, context: BuildContext): ForwardingTable {
  const memory = context.memory ?? new TableMemory(context.key);
  const dsr = dsrColumns(spec.dsr);
  const compiled = memory.compiled(spec, context.ids, new DsrTable(dsr));
  memory.begin(spec);
  memory.former.note(compiled);

  const sum = (wordsOf: (vip: CompiledVip) => number) => compiled.reduce((total, vip) => total + wordsOf(vip), 0);
  const owned = ownedIndex(spec.owned.length + sum(({ pods }) => pods.length));
  const vipIndex = shared(INDEX_WORDS * hashSlots(compiled.length));
  const vips = shared(VIP_WORDS * compiled.length);
  const backends = shared(sum((vip) => vip.backends.length));
  const ranges = shared(sum((vip) => vip.ranges.length));
  for (const one of spec.owned) insertOwned(owned, one.address, OWNED_SERVED | answerPorts(one, context.portNames));

  const former: number[] = [];
  let nextBackend = 0;
  let nextRange = 0;
  compiled.forEach((vip, row) => {
    for (const pod of vip.pods) insertOwned(owned, pod, OWNED_POD);
    const at = row * VIP_WORDS;
    vips[at] = vip.ids.id;
    vips[at + VIP_FIRST] = nextBackend;
    vips[at + VIP_COUNT] = vip.serving.length;
    vips[at + VIP_MAGLEV] = vip.maglev === null ? -1 : memory.maglev.place(vip.maglev, vip.serving);
    vips[at + VIP_FLAGS] = vip.flags;
    vips[at + VIP_RANGES] = nextRange;
    vips[at + VIP_RANGES + 1] = vip.ranges.length / RANGE_WORDS;
    vips[at + VIP_MODE] = vip.mode;
    vips[at + VIP_SERVICE] = vip.service;
    vips[at + VIP_AFFINITY] = vip.affinitySeconds;
    vips[at + VIP_BALANCING] = vip.balancing;
    vips[at + VIP_MEMBERS] = vip.backendIds.length;
    vips[at + VIP_POLICIES] = policyBits(spec.vips[row]!, context);
    const formerWords = memory.former.wordsOf(vip, nextBackend, former.length, memory.maglev);
    vips[at + VIP_FORMER] = formerWords.length === 0 ? -1 : former.length;
    former.push(...formerWords);
    backends.set(vip.backends, nextBackend * BACKEND_WORDS);
    ranges.set(vip.ranges, nextRange * RANGE_WORDS);
    nextBackend += vip.backendIds.length;
    nextRange += vip.ranges.length / RANGE_WORDS;
    insertVip(vipIndex, vip, spec.vips[row]!, row);
  });

  const { strictSyn, rejectWithoutBackend: rejects, trackFragments: tracksFragments } = spec;
  const sourcePorts = memory.sourcePorts(spec.sourcePorts);
  const flags = { strictSyn, rejects, tracksFragments, sourcePorts };
  const byId = indexById(compiled);
  const maglev = memory.maglev.end();
  const { epoch } = context;
  const columns = { owned, vipIndex, vips, backends, byId, ranges, former: sharedCopy(former), maglev, dsr };
  return new ForwardingTable({ epoch, ...flags, ...columns });
}

function policyBits({ policies }: VipSpec, { policySlots }: BuildContext): number {
  const bitOf = (name: string) => {
    const slot = policySlots?.get(name);
    return slot === undefined ? 0 : 1 << slot;
  };
  return policies.reduce((bits, name) => bits | bitOf(name), 0);
}

function answerPorts({ answerOn }: OwnedAddress, portNames: readonly string[]): number {
  let ports = 0;
  portNames.forEach((name, port) => {
    if (answerOn === "all" || answerOn.includes(name)) ports |= 1 << port;
  });
  return ports << ANSWER_PORT_SHIFT;
}

function insertVip(index: Int32Array, { address }: CompiledVip, vip: VipSpec, row: number): void {
  const slots = index.length / INDEX_WORDS;
  const portAndProtocol = (swap16(vip.port) << 16) | PROTOCOL_NUMBER[vip.protocol];
  let slot = home(address, 0, portAndProtocol, slots);
  while (index[slot * INDEX_WORDS + ADDRESS_WORDS + 1] !== 0) slot = slot + 1 === slots ? 0 : slot + 1;
  index.set(address, slot * INDEX_WORDS);
  index[slot * INDEX_WORDS + ADDRESS_WORDS] = portAndProtocol;
  index[slot * INDEX_WORDS + ADDRESS_WORDS + 1] = row + 1;
}

function indexById(compiled: readonly CompiledVip[]): Int32Array {
  const vipIds = compiled.reduce((most, { ids }) => Math.max(most, ids.id + 1), 0);
  const idsOf = compiled.map(({ backendIds }) => backendIds.reduce((most, id) => Math.max(most, id + 1), 0));
  const byId = shared(idsOf.reduce((total, count) => total + 2 + count, 1 + vipIds)).fill(NO_BACKEND);
  byId[0] = vipIds;
  let part = 1 + vipIds;
  let backend = 0;
  compiled.forEach(({ ids, backendIds }, row) => {
    byId[1 + ids.id] = part;
    byId[part] = row;
    byId[part + 1] = idsOf[row]!;
    for (const id of backendIds) byId[part + 2 + id] = backend++ * BACKEND_WORDS;
    part += 2 + idsOf[row]!;
  });
  return byId;
}

/**
 * Building the forwarding table of an epoch from its spec: what forwarding-table.ts reads, in memory that crosses threads
 * without a copy.
 */
import type { IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, storeAddress, swap16 } from "../wire/raw.ts";
import { addressWords, hashSlots, home, shared } from "./address-hash.ts";
import { DsrTable, dsrColumns } from "./dsr-table.ts";
import type { HashKey } from "./flow-hash.ts";
import type { BackendSpec, ForwardingSpec, SourceRanges, VipSpec } from "./forwarding-spec.ts";
import {
  BACKEND_FLAGS,
  BACKEND_TUNNEL,
  BACKEND_WORDS,
  FLAG_AFFINITY,
  FLAG_DENY,
  FLAG_LOCAL,
  FLAG_RESTRICTED,
  FLAG_TAKES_NEW,
  ForwardingTable,
  INDEX_WORDS,
  MODE_NUMBER,
  NO_BACKEND,
  PROTOCOL_NUMBER,
  RANGE_WORDS,
  SOURCE_NAT,
  SOURCE_NAT_SHIFT,
  VIP_FLAGS,
  VIP_MEMBERS,
  VIP_MODE,
  VIP_POLICIES,
  VIP_RANGES,
  VIP_WORDS,
} from "./forwarding-table.ts";
import type { IdRegistry } from "./id-registry.ts";
import { fillMaglev } from "./maglev.ts";
import type { MaglevMemory } from "./maglev-memory.ts";
import { ANSWER_PORT_SHIFT, insertOwned, OWNED_POD, OWNED_SERVED, ownedIndex } from "./owned-index.ts";
import { applyMask, commonLength } from "./prefix-mask.ts";
import { sourcePortColumns } from "./source-ports.ts";

/** Ids and port names that a table is built with; the registry outlives it. */
export interface BuildContext {
  readonly epoch: number;
  readonly key: HashKey;
  readonly ids: IdRegistry;
  /** What is known from the epoch before; absent, everything is computed. */
  readonly maglev?: MaglevMemory;
  /** Interface names by port id, for ARP and NDP. */
  readonly portNames: readonly string[];
}

export function buildForwardingTable(spec: ForwardingSpec, context: BuildContext): ForwardingTable {
  const serving = spec.vips.map((vip) => ({ vip, backends: vip.backends.filter(takesNewFlows) }));
  const backendCount = serving.reduce((sum, { vip }) => sum + vip.backends.length, 0);
  const dsr = dsrColumns(spec.dsr);
  const ends = new DsrTable(dsr);
  const isEnd = (node: IpAddress | null) => node !== null && ends.isEnd(addressWords(node), 0);
  const pods = spec.vips.flatMap((vip) => vip.backends.filter(({ node }) => isEnd(node)));
  const balanced = serving.filter(({ backends }) => backends.length > 1).length;

  const owned = ownedIndex(spec.owned.length + pods.length);
  const vipIndex = shared(INDEX_WORDS * hashSlots(serving.length));
  const vips = shared(VIP_WORDS * serving.length);
  const backends = shared(BACKEND_WORDS * backendCount);
  const ranges = shared(RANGE_WORDS * serving.reduce((sum, { vip }) => sum + (vip.sources?.ranges.length ?? 0), 0));
  const maglev = new Uint16Array(new SharedArrayBuffer(2 * balanced * spec.maglevTableSize));

  for (const { address, answerOn } of spec.owned) {
    let ports = 0;
    context.portNames.forEach((name, port) => {
      if (answerOn === "all" || answerOn.includes(name)) ports |= 1 << port;
    });
    insertOwned(owned, address, OWNED_SERVED | (ports << ANSWER_PORT_SHIFT));
  }
  for (const { address } of pods) insertOwned(owned, address, OWNED_POD);

  let nextBackend = 0;
  let nextSlot = 0;
  let nextRange = 0;
  const idOf: number[] = [];
  serving.forEach(({ vip, backends: members }, row) => {
    const at = row * VIP_WORDS;
    vips[at] = context.ids.vip(vip);
    vips[at + 1] = nextBackend;
    vips[at + 2] = members.length;
    vips[at + 3] = -1;
    if (members.length > 1) {
      const table = maglev.subarray(nextSlot, nextSlot + spec.maglevTableSize);
      if (context.maglev === undefined) fillMaglev(table, members, context.key);
      else context.maglev.fill(table, members, context.key);
      vips[at + 3] = nextSlot;
      vips[at + 4] = spec.maglevTableSize;
      nextSlot += spec.maglevTableSize;
    }
    vips[at + VIP_MODE] = MODE_NUMBER[vip.mode];
    vips[at + VIP_MEMBERS] = vip.backends.length;
    vips[at + VIP_POLICIES] = vip.policies ?? 0;
    for (const member of [...members, ...vip.backends.filter((backend) => !takesNewFlows(backend))]) {
      const backend = nextBackend++ * BACKEND_WORDS;
      const id = context.ids.backend(vip, member);
      storeAddress(backends, backend, member.address);
      backends[backend + ADDRESS_WORDS] = swap16(member.port);
      backends[backend + ADDRESS_WORDS + 1] = id;
      storeAddress(backends, backend + BACKEND_TUNNEL, member.node ?? member.address);
      backends[backend + BACKEND_FLAGS] =
        (isEnd(member.node) ? FLAG_LOCAL : 0) | (takesNewFlows(member) ? FLAG_TAKES_NEW : 0);
      idOf.push(id);
    }
    const { affinity, sources } = vip;
    vips[at + VIP_FLAGS] =
      (affinity ? FLAG_AFFINITY : 0) | sourceFlags(sources) | (SOURCE_NAT[vip.sourceNat] << SOURCE_NAT_SHIFT);
    vips[at + VIP_RANGES] = nextRange;
    vips[at + VIP_RANGES + 1] = sources?.ranges.length ?? 0;
    for (const { address, prefixLength } of sources?.ranges ?? []) {
      const entry = nextRange++ * RANGE_WORDS;
      const length = commonLength(address, prefixLength);
      storeAddress(ranges, entry, address);
      applyMask(ranges, entry, length, ranges, entry);
      ranges[entry + ADDRESS_WORDS] = length;
    }
    insertVip(vipIndex, vip, row);
  });

  context.maglev?.endEpoch();

  const { strictSyn, rejectWithoutBackend: rejects, trackFragments: tracksFragments } = spec;
  const { epoch } = context;
  const byId = shared(Math.max(0, ...idOf) + 1).fill(NO_BACKEND);
  idOf.forEach((id, index) => {
    byId[id] = index * BACKEND_WORDS;
  });
  const sourcePorts = sourcePortColumns(spec.sourcePorts);
  const flags = { strictSyn, rejects, tracksFragments, sourcePorts };
  return new ForwardingTable({ epoch, ...flags, owned, vipIndex, vips, backends, byId, ranges, maglev, dsr });
}

function sourceFlags(sources: SourceRanges | null): number {
  if (sources === null) return 0;
  return sources.action === "deny" ? FLAG_RESTRICTED | FLAG_DENY : FLAG_RESTRICTED;
}

function takesNewFlows(backend: BackendSpec): boolean {
  return backend.weight > 0 && !backend.draining;
}

function insertVip(index: Int32Array, vip: VipSpec, row: number): void {
  const words = addressWords(vip.address);
  const slots = index.length / INDEX_WORDS;
  const portAndProtocol = (swap16(vip.port) << 16) | PROTOCOL_NUMBER[vip.protocol];
  let slot = home(words, 0, portAndProtocol, slots);
  while (index[slot * INDEX_WORDS + ADDRESS_WORDS + 1] !== 0) slot = (slot + 1) % slots;
  index.set(words, slot * INDEX_WORDS);
  index[slot * INDEX_WORDS + ADDRESS_WORDS] = portAndProtocol;
  index[slot * INDEX_WORDS + ADDRESS_WORDS + 1] = row + 1;
}

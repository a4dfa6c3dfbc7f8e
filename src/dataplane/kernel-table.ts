/**
 * The part of a forwarding table that the kernel's program works by, in the words of native/bpf/forwarding_table.h.
 *
 * To open flows: VIPs whose new flows need no more than Maglev and NAT. The others are the workers': those with policies,
 * affinity, source ranges, direct server return, another way of balancing, or a source that is always translated; and SCTP.
 * To forward those of direct server return that are open: the ends of tunnels.
 *
 *   row 0       header    [epoch, slots, size of a Maglev table, tables in a chunk, rows of the tunnels' hash]
 *   rows 1..    VIPs      [address, port (raw) << 16 | protocol, id | source NAT << 16, row of its backends, table + 1]
 *   row         ours      [IPv6 end, IPv4 end, ports (raw) GUE | Geneve << 16, VNI, option in network order]
 *   after it    tunnels   [address of the other end, owner word, 1]
 *   after them  backends  [address, port (raw), id, id of the VIP]
 */

import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ADDRESS_WORDS, copyAddress, destinationPortFromRaw, loadAddress } from "../wire/raw.ts";
import { hashSlots, home } from "./address-hash.ts";
import { DsrTable } from "./dsr-table.ts";
import { DsrKind } from "./egress.ts";
import {
  BACKEND_TUNNEL,
  BACKEND_WORDS,
  BALANCING,
  FLAG_RESTRICTED,
  INDEX_WORDS,
  MODE_NAT,
  SOURCE_NAT,
  SOURCE_NAT_SHIFT,
  VIP_AFFINITY,
  VIP_BALANCING,
  VIP_COUNT,
  VIP_FIRST,
  VIP_FLAGS,
  VIP_MAGLEV,
  VIP_MEMBERS,
  VIP_MODE,
  VIP_POLICIES,
  VIP_WORDS,
} from "./forwarding-layout.ts";
import type { ForwardingColumns } from "./forwarding-table.ts";
import type { AdoptedIds } from "./id-registry.ts";

export const KERNEL_ROW_WORDS = 8;

const HEADER_SLOTS = 1;
const PORT_AND_PROTOCOL = ADDRESS_WORDS;
const ID = PORT_AND_PROTOCOL + 1;
const BACKENDS = ID + 1;
const MAGLEV = BACKENDS + 1;
const BACKEND_VIP = ID + 1;
const OWN_END4 = ADDRESS_WORDS;
const OWN_PORTS = OWN_END4 + 1;
const OWN_VNI = OWN_END4 + 2;
const OWN_NETWORK_ORDER = OWN_END4 + 3;
const TUNNEL_OWNER = ADDRESS_WORDS;
const TUNNEL_USED = TUNNEL_OWNER + 1;

/** @param maglevTables that the kernel has room for: VIPs with another one are left out. `null`: it opens no flows. */
export function kernelTable(columns: ForwardingColumns, maglevTables: number | null): Int32Array<ArrayBuffer> {
  const { vipIndex, vips, backends, maglev } = columns;
  const entries: number[] = [];
  let backendRows = 0;
  for (let entry = 0; entry < vipIndex.length && maglevTables !== null; entry += INDEX_WORDS) {
    if (!isPlain(columns, entry, maglevTables)) continue;
    entries.push(entry);
    backendRows += vips[vipOf(columns, entry) + VIP_COUNT]!;
  }
  const slots = hashSlots(entries.length);
  const tunnels = tunnelBackends(columns);
  const tunnelSlots = tunnels.size === 0 ? 0 : hashSlots(tunnels.size);
  const words = new Int32Array((2 + slots + tunnelSlots + backendRows) * KERNEL_ROW_WORDS);
  words.set([columns.epoch, slots, maglev.tableSize, maglev.tablesPerChunk, tunnelSlots]);
  writeOwnEnds(words, (1 + slots) * KERNEL_ROW_WORDS, new DsrTable(columns.dsr));
  for (const [owner, backend] of tunnels) {
    let slot = Math.imul(owner, 0x9e3779b1) >>> 8;
    const rowOf = () => (2 + slots + (slot & (tunnelSlots - 1))) * KERNEL_ROW_WORDS;
    while (words[rowOf() + TUNNEL_USED] !== 0) slot++;
    copyAddress(words, rowOf(), backends, backend + BACKEND_TUNNEL);
    words[rowOf() + TUNNEL_OWNER] = owner;
    words[rowOf() + TUNNEL_USED] = 1;
  }
  let next = 2 + slots + tunnelSlots;
  for (const entry of entries) {
    const vip = vipOf(columns, entry);
    const portAndProtocol = vipIndex[entry + ADDRESS_WORDS]!;
    let slot = home(vipIndex, entry, portAndProtocol, slots);
    while (words[(1 + slot) * KERNEL_ROW_WORDS + PORT_AND_PROTOCOL] !== 0) slot = (slot + 1) & (slots - 1);
    const at = (1 + slot) * KERNEL_ROW_WORDS;
    words.set(vipIndex.subarray(entry, entry + ADDRESS_WORDS), at);
    words[at + PORT_AND_PROTOCOL] = portAndProtocol;
    words[at + ID] = vips[vip]! | ((vips[vip + VIP_FLAGS]! >>> SOURCE_NAT_SHIFT) << 16);
    words[at + BACKENDS] = next;
    words[at + MAGLEV] = vips[vip + VIP_MAGLEV]! + 1;
    for (let index = 0; index < vips[vip + VIP_COUNT]!; index++, next++) {
      const backend = (vips[vip + VIP_FIRST]! + index) * BACKEND_WORDS;
      // Address, port and id lie side by side, there and here.
      words.set(backends.subarray(backend, backend + ADDRESS_WORDS + 2), next * KERNEL_ROW_WORDS);
      words[next * KERNEL_ROW_WORDS + BACKEND_VIP] = vips[vip]!;
    }
  }
  return words;
}

/** The backends that take tunnels, those that drain too, by the owner words of their flows. */
function tunnelBackends({ vips, backends }: ForwardingColumns): Map<number, number> {
  const found = new Map<number, number>();
  for (let vip = 0; vip < vips.length; vip += VIP_WORDS) {
    const mode = vips[vip + VIP_MODE]!;
    if (mode !== DsrKind.Ipip && mode !== DsrKind.Gue && mode !== DsrKind.Geneve) continue;
    for (let index = 0; index < vips[vip + VIP_MEMBERS]!; index++) {
      const backend = (vips[vip + VIP_FIRST]! + index) * BACKEND_WORDS;
      found.set((vips[vip]! << 16) | backends[backend + ID]!, backend);
    }
  }
  return found;
}

function writeOwnEnds(words: Int32Array, at: number, dsr: DsrTable): void {
  if (dsr.hasEnd(false)) copyAddress(words, at, dsr.words, dsr.endAt(false));
  if (dsr.hasEnd(true)) words[at + OWN_END4] = dsr.words[dsr.endAt(true) + ADDRESS_WORDS - 1]!;
  words[at + OWN_PORTS] = dsr.guePort | (dsr.genevePort << 16);
  words[at + OWN_VNI] = dsr.vni;
  words[at + OWN_NETWORK_ORDER] = dsr.networkOrder ? 1 : 0;
}

/** The ids in a table that another process has made: flows may be opened by them until the next one is in force. */
export function idsInKernelTable(words: Int32Array): AdoptedIds[] {
  const found: AdoptedIds[] = [];
  const slots = words[HEADER_SLOTS]!;
  for (let slot = 0; slot < slots; slot++) {
    const at = (1 + slot) * KERNEL_ROW_WORDS;
    const portAndProtocol = words[at + PORT_AND_PROTOCOL]!;
    if (portAndProtocol === 0) continue;
    const vipId = words[at + ID]! & 0xffff;
    const vip = { address: loadAddress(words, at), port: destinationPortFromRaw(portAndProtocol) };
    for (let row = words[at + BACKENDS]! * KERNEL_ROW_WORDS; row < words.length; row += KERNEL_ROW_WORDS) {
      if (words[row + BACKEND_VIP] !== vipId) break;
      const backend = {
        address: loadAddress(words, row),
        port: destinationPortFromRaw(words[row + PORT_AND_PROTOCOL]! << 16),
      };
      found.push({ vip, protocol: portAndProtocol & 0xff, vipId, backend, backendId: words[row + ID]! });
    }
  }
  return found;
}

function vipOf({ vipIndex }: ForwardingColumns, entry: number): number {
  return (vipIndex[entry + ADDRESS_WORDS + 1]! - 1) * VIP_WORDS;
}

function isPlain(columns: ForwardingColumns, entry: number, maglevTables: number): boolean {
  const { vipIndex, vips } = columns;
  if (vipIndex[entry + ADDRESS_WORDS + 1] === 0) return false;
  const vip = vipOf(columns, entry);
  const protocol = vipIndex[entry + ADDRESS_WORDS]! & 0xff;
  const flags = vips[vip + VIP_FLAGS]!;
  const table = vips[vip + VIP_MAGLEV]!;
  return (
    (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) &&
    vips[vip + VIP_MODE] === MODE_NAT &&
    vips[vip + VIP_POLICIES] === 0 &&
    vips[vip + VIP_AFFINITY] === 0 &&
    vips[vip + VIP_BALANCING] === BALANCING.maglev &&
    (flags & FLAG_RESTRICTED) === 0 &&
    flags >>> SOURCE_NAT_SHIFT !== SOURCE_NAT.node &&
    (table >= 0 ? table < maglevTables : vips[vip + VIP_COUNT] === 1)
  );
}

/** The objects of the `xdp` benchmark with their tables filled: one direction of so many flows, all of them established. */

import { KernelForwarding } from "../../src/agent/kernel-forwarding.ts";
import { buildForwardingTable } from "../../src/dataplane/build-forwarding-table.ts";
import { DsrKind, dsrActions, EGRESS_CHECK_TTL, EGRESS_DECREMENT_TTL, egressWord } from "../../src/dataplane/egress.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "../../src/dataplane/flow-key.ts";
import { FlowTable4, flowTable4Memory } from "../../src/dataplane/flow-table4.ts";
import { EMPTY_FORWARDING_SPEC, NO_DSR, type VipSpec } from "../../src/dataplane/forwarding-spec.ts";
import { IdRegistry } from "../../src/dataplane/id-registry.ts";
import { NeighborTable } from "../../src/dataplane/neighbor-table.ts";
import { PORT_WIRE, PortTable, rawMac } from "../../src/dataplane/port-table.ts";
import { type IpAddress, parseIpAddress } from "../../src/net/ip-address.ts";
import { parseMac } from "../../src/net/mac.ts";
import { ADDRESS_WORDS, rawPorts, storeAddress } from "../../src/wire/raw.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { encodeAddress, SETTINGS_FLAGS, SETTINGS_FORWARD } from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { ipv4Frame } from "../../test/fixtures/frames.ts";

const KEY = { k0: 0x5eed0001, k1: 0x5eed0002 };
const FIRST_VIP = parseIpAddress("198.18.0.0")!;
const MAC = "02:00:00:00:0a:01";
const LOOPBACK = 1;
const TCP = 6;
/** Word of `struct bench`. */
export const BENCH_NOW = 8;
/** Words of `struct lru_row`, up to the counters. */
const LRU_WORDS = 14;

export const BENCH_FRAME: Uint8Array = ipv4Frame({
  destinationMac: MAC,
  sourceMac: "02:00:00:00:0a:00",
  source: "10.0.0.0",
  destination: "198.18.0.0",
  sourcePort: 1024,
  destinationPort: 80,
  protocol: TCP,
});

/** How much there is of everything. */
export interface Size {
  readonly flows: number;
  readonly vips: number;
  readonly backends: number;
}

const ONE_VIP = { vips: 1, backends: 1 };

/** What makes rows those of requests that leave in an IPIP tunnel. */
export const IN_TUNNEL: number = dsrActions(DsrKind.Ipip);

/** The product's own table, at most half full. */
export function loadOurs(path: string, flows: number, { vips, backends } = ONE_VIP, actions = 0): BpfObject {
  const size = { flows, vips, backends };
  const rows = rowsFor(flows);
  const object = BpfObject.load(path, { maxEntries: { flows: rows } });
  fill(new FlowTable4(object.map("flows").mmap(), KEY), size, prepare(object, size, rows), actions, () => {});
  return object;
}

/** The twin's, of the same capacity. */
export function loadLru(path: string, flows: number, actions = 0): BpfObject {
  const rows = rowsFor(flows);
  const object = BpfObject.load(path, { maxEntries: { lru: rows } });
  const size = { ...ONE_VIP, flows };
  const neighbors = prepare(object, size, 1024);
  const keys = new Int32Array(flows * 4);
  const values = new Int32Array(flows * LRU_WORDS);
  const table = new FlowTable4(flowTable4Memory(rows), KEY);
  fill(table, size, neighbors, actions, (row, flow) => {
    const { words, layout } = table;
    const tag = words[row + layout.tag]!;
    // The key's last word is LIVE and the protocol; the value begins with the tag and goes on behind the row's.
    keys.set([words[row]!, words[row + 1]!, words[row + 2]!, tag & 0x1ff], flow * 4);
    values.set([tag, ...words.subarray(row + layout.tag + 1, row + layout.lastSeen + 1)], flow * LRU_WORDS);
  });
  object.map("lru").updateBatch(new Uint8Array(keys.buffer), new Uint8Array(values.buffer), flows);
  return object;
}

/**
 * For inserting: room for as many rows as there are flows, and sixteen times as many flows come, so that each goes in where
 * another has to go.
 */
export function loadLruForInserts(path: string, flows: number): BpfObject {
  const object = BpfObject.load(path, { maxEntries: { lru: flows } });
  prepare(object, { ...ONE_VIP, flows: flows * 16 }, 1024);
  return object;
}

export function loadOursForInserts(path: string, flows: number) {
  const rows = rowsFor(flows);
  const object = BpfObject.load(path, { maxEntries: { flows: rows } });
  prepare(object, { ...ONE_VIP, flows: flows * 16 }, rows);
  const bench = object.map("bench").mmap();
  return { object, flows: new FlowTable4(object.map("flows").mmap(), KEY), bench };
}

function rowsFor(flows: number): number {
  return 2 ** Math.ceil(Math.log2(flows * 2));
}

/** Everything but the flows. @returns the indexes of the backends' neighbours. */
function prepare(object: BpfObject, { flows, vips, backends }: Size, rows: number): number[] {
  const settings = object.map("settings").mmap();
  settings.set([KEY.k0, KEY.k1, rows - 1, 0]);
  settings[SETTINGS_FLAGS] = SETTINGS_FORWARD;
  setDoorPort(object.map("ports"), LOOPBACK, { id: 0 });
  const ports = new PortTable(object.map("port_rows").mmap());
  const address = new Int32Array(ADDRESS_WORDS);
  for (const id of [0, 1]) {
    ports.set(id, { kind: PORT_WIRE, mac: parseMac(MAC)!, mtu: 1500, ipv4: null, ipv6: null, pair: null });
    object.map("devices").update(word(id), word(LOOPBACK));
  }
  const view = new DataView(BENCH_FRAME.buffer, BENCH_FRAME.byteOffset);
  const bench = object.map("bench").mmap();
  let sum = 0;
  // The header's words but the checksum and the addresses.
  for (const at of [14, 16, 18, 20, 22]) sum += view.getUint16(at, true);
  bench.set([flows, 0, view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true)]);
  bench.set([Number(FIRST_VIP.value), sum, vips], 5);
  const [first, last] = rawMac(parseMac(MAC)!);
  if (bench[2] !== first || (bench[3]! & 0xffff) !== last) throw new Error("the frame is not to the port's MAC");
  serve(object);
  const neighbors = new NeighborTable(object.map("neighbors").mmap());
  return Array.from({ length: backends }, (_, backend) => {
    storeAddress(address, 0, backendAddress(backend));
    return neighbors.set(address, 1, parseMac("02:00:00:00:0b:01")!, parseMac("02:00:00:00:0b:00")!);
  });
}

/** The first VIP: what is for it and of no flow is the worker's, and the ends of its tunnels are known. */
function serve(object: BpfObject): void {
  object.map("owned4").update(encodeAddress(FIRST_VIP).slice(12), word(1));
  const vip: VipSpec = {
    ...{ service: "bench/web", address: FIRST_VIP, port: 80, protocol: "TCP", mode: "dsr-ipip", affinity: false },
    ...{ sources: null, sourceNat: "none", policies: [] },
    backends: [{ address: backendAddress(0), port: 80, weight: 1, draining: false, node: backendAddress(1) }],
  };
  const spec = { ...EMPTY_FORWARDING_SPEC, vips: [vip], dsr: { ...NO_DSR, tunnel4: parseIpAddress("10.1.0.1")! } };
  const context = { epoch: 1, key: KEY, ids: new IdRegistry(), portNames: ["in", "out"] };
  new KernelForwarding(object, false).publish(buildForwardingTable(spec, context).columns, []);
}

function fill(
  table: FlowTable4,
  { flows, vips, backends }: Size,
  neighbors: readonly number[],
  actions: number,
  each: (row: number, flow: number) => void,
): void {
  const key = newFlowKey();
  const translated = newFlowKey();
  const egress = neighbors.map((neighbor) =>
    egressWord(1, neighbor, EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL | actions),
  );
  key[KEY_PROTOCOL] = TCP;
  translated[KEY_PROTOCOL] = TCP;
  for (let flow = 0; flow < flows; flow++) {
    const source = { family: 4 as const, value: BigInt(0x0a000000 + (flow >>> 14)) };
    const vip = flow % vips;
    // A large stride, so that the backends of neighbouring flows are not neighbours.
    const backend = (flow * 617) % backends;
    storeAddress(key, KEY_DESTINATION, { family: 4, value: FIRST_VIP.value + BigInt(vip) });
    storeAddress(translated, KEY_DESTINATION, backendAddress(backend));
    storeAddress(key, KEY_SOURCE, source);
    storeAddress(translated, KEY_SOURCE, source);
    key[KEY_PORTS] = rawPorts(1024 + (flow & 0x3fff), 80);
    translated[KEY_PORTS] = rawPorts(1024 + (flow & 0x3fff), 8080);
    const row = table.claim(table.hashKey(key), key, TCP, 0, 1000);
    if (row < 0) throw new Error(`no place for flow ${flow}`);
    table.complete(row, translated, egress[backend]!, (vip << 16) | backend);
    table.offload(row);
    each(row, flow);
  }
}

function backendAddress(backend: number): IpAddress {
  return { family: 4, value: 0x0a020000n + BigInt(backend) };
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

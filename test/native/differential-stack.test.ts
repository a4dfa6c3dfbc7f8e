/**
 * As differential.test.ts, for pods behind the node's own stack. Requests pass to the stack with the MACs that they came
 * with, so what is behind the Ethernet header is compared; replies are translated by tc egress where they leave, and must
 * be what the worker makes of them, to the byte. Both write the same to the rows.
 */
import { afterAll, describe, expect, test } from "vitest";
import { buildForwardingTable } from "../../src/dataplane/build-forwarding-table.ts";
import { countersMemory } from "../../src/dataplane/counters.ts";
import { Fib } from "../../src/dataplane/fib.ts";
import { FlowTable4 } from "../../src/dataplane/flow-table4.ts";
import { FlowTable6 } from "../../src/dataplane/flow-table6.ts";
import { EMPTY_FORWARDING_SPEC } from "../../src/dataplane/forwarding-spec.ts";
import { FragmentTable } from "../../src/dataplane/fragment-table.ts";
import { FRAME_HEADROOM_BYTES, FrameBatch, Verdict } from "../../src/dataplane/frame-batch.ts";
import { IdRegistry } from "../../src/dataplane/id-registry.ts";
import { NeighborRequests } from "../../src/dataplane/neighbor-requests.ts";
import { NeighborTable, STACK_NEIGHBOR } from "../../src/dataplane/neighbor-table.ts";
import { Pipeline } from "../../src/dataplane/pipeline.ts";
import { PORT_STACK, PORT_WIRE, PortTable } from "../../src/dataplane/port-table.ts";
import { TableMemory } from "../../src/dataplane/table-memory.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { parseMac } from "../../src/net/mac.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { SETTINGS_FLAGS, SETTINGS_FORWARD } from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { type Segment, segmentFrame, transportFault } from "../fixtures/segments.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { interfaceIndex } from "./traffic.ts";
import { changes } from "./twin-stage.ts";

const ROWS = 1 << 12;
const KEY = { k0: 0x0bad, k1: 0xcafe };
const UPLINK = 0;
const STACK = 1;
const UPLINK_MAC = "02:00:00:00:0a:01";
const ROUTER_MAC = "02:00:00:00:0a:00";
const XDP_PASS = 2;
const TC_NEXT = -1;
const ACK = 0x10;
const SYN = 0x02;
const FIN = 0x01;
const FAMILIES = {
  IPv4: { client: "203.0.113.7", vip: "198.51.100.10", pod: "10.2.3.5" },
  IPv6: { client: "2001:db8:c::7", vip: "2001:db8:ff::10", pod: "2001:db8:2::5" },
} as const;

moveIntoOwnNamespace();
vethPair("up0", "up1");
vethPair("sl0", "sl1");
const object = BpfObject.load(undefined, { maxEntries: { flows: ROWS, flows6: ROWS } });
const xdp = object.program("sluice_xdp");
const egress = object.program("sluice_egress");
const uplink = interfaceIndex("up0");
const rows = { 4: object.map("flows").mmap(), 6: object.map("flows6").mmap() };
afterAll(() => object.close());
object
  .map("settings")
  .mmap()
  .set([KEY.k0, KEY.k1, ROWS - 1, ROWS - 1]);
object.map("settings").mmap()[SETTINGS_FLAGS] = SETTINGS_FORWARD;
setDoorPort(object.map("ports"), uplink, { id: UPLINK, pairInterfaceIndex: interfaceIndex("sl0") });

const batch = new FrameBatch(1);
const memory = new Uint8Array(FRAME_HEADROOM_BYTES + 4096);
const pipeline = openPipeline();

function openPipeline(): Pipeline {
  const ip = (text: string) => parseIpAddress(text)!;
  const ports = new PortTable(object.map("port_rows").mmap());
  const common = { mtu: 1500, ipv4: null, ipv6: null };
  ports.set(UPLINK, { ...common, kind: PORT_WIRE, mac: parseMac(UPLINK_MAC)!, pair: STACK });
  ports.set(STACK, { ...common, kind: PORT_STACK, mac: parseMac("02:00:00:00:51:01")!, pair: UPLINK });
  const neighbors = new NeighborTable(object.map("neighbors").mmap());
  neighbors.set(STACK_NEIGHBOR, STACK, parseMac("02:00:00:00:51:00"), parseMac("02:00:00:00:51:01")!);
  const vips = Object.values(FAMILIES).flatMap(({ vip, pod }) =>
    (["TCP", "UDP"] as const).map((protocol) => ({
      service: "test/web",
      address: ip(vip),
      port: 80,
      protocol,
      mode: "nat" as const,
      backends: [{ address: ip(pod), port: 8080, weight: 1, draining: false, node: null }],
      affinity: false,
      sources: null,
      sourceNat: "none" as const,
      policies: [],
    })),
  );
  const owned = vips.map(({ address }) => ({ address, answerOn: "all" as const }));
  const table = buildForwardingTable(
    { ...EMPTY_FORWARDING_SPEC, vips, owned },
    { epoch: 1, key: KEY, ids: new IdRegistry(), memory: new TableMemory(KEY), portNames: ["up0", "sl1"] },
  );
  const fib = Fib.build(
    ["10.2.3.0/24", "2001:db8:2::/64"].map((prefix) => {
      const [address, length] = prefix.split("/");
      return { destination: ip(address!), prefixLength: Number(length), gateway: null, port: STACK };
    }),
  );
  const tables = {
    flows4: new FlowTable4(rows[4], KEY),
    flows6: new FlowTable6(rows[6], KEY),
    ports,
    neighbors,
    neighborRequests: new NeighborRequests(),
    fragments: new FragmentTable(),
    counters: countersMemory(16),
    offloads: true,
  };
  return new Pipeline(batch, new DataView(memory.buffer), tables, table, fib);
}

/** What the worker makes of a frame. */
function forward(frame: Uint8Array, port: number): Uint8Array {
  memory.set(frame, FRAME_HEADROOM_BYTES);
  batch.holdOne(FRAME_HEADROOM_BYTES, frame.length, port);
  pipeline.run(1000);
  expect(batch.verdict[0]).toBe(Verdict.Transmit);
  return memory.slice(batch.offset[0]!, batch.offset[0]! + batch.length[0]!);
}

/** Runs a program, takes back what it wrote to the rows, and says what that was. */
function written<T>(run: () => T): { result: T; by: Record<4 | 6, Record<number, number>> } {
  const before = { 4: rows[4].slice(), 6: rows[6].slice() };
  const result = run();
  const by = { 4: changes(before[4], rows[4], 4), 6: changes(before[6], rows[6], 6) };
  rows[4].set(before[4]);
  rows[6].set(before[6]);
  return { result, by };
}

describe.each(Object.entries(FAMILIES))("%s", (_family, { client, vip, pod }) => {
  describe.each(["TCP", "UDP"] as const)("%s", (protocol) => {
    const clientPort = protocol === "TCP" ? 4242 : 4243;
    const request = (flags: number, rest: Partial<Segment> = {}) =>
      segmentFrame({
        ...{ destinationMac: UPLINK_MAC, sourceMac: ROUTER_MAC, protocol, flags },
        ...{ source: client, sourcePort: clientPort, destination: vip, destinationPort: 80 },
        ...rest,
      });
    const reply = (flags: number, rest: Partial<Segment> = {}) =>
      segmentFrame({
        ...{ destinationMac: ROUTER_MAC, sourceMac: UPLINK_MAC, protocol, flags },
        ...{ source: pod, sourcePort: 8080, destination: client, destinationPort: clientPort },
        ...rest,
      });
    const sizes = [0, 1, 7, 512, 1400];

    test("both are the same for requests and replies", () => {
      forward(request(SYN), UPLINK);
      forward(reply(SYN | ACK), STACK);
      forward(request(ACK), UPLINK);
      for (const [turn, size] of [...sizes, ...sizes, 3].entries()) {
        const isLast = turn === 2 * sizes.length;
        const payload = Uint8Array.from({ length: size }, (_, index) => (index * 31 + turn * 7) & 255);
        const flags = ACK | (isLast ? FIN : 0);
        const there = request(flags, { payload, ttl: 2 + turn });
        const kernel = written(() => xdp.testRun(there, { ingress: { interfaceIndex: uplink, queue: 0 } }));
        const worker = written(() => forward(there, UPLINK));
        expect(kernel.result.returnValue).toBe(XDP_PASS);
        expect(Buffer.from(kernel.result.data.subarray(14))).toEqual(Buffer.from(worker.result.subarray(14)));
        expect(Buffer.from(kernel.result.data.subarray(0, 14))).toEqual(Buffer.from(there.subarray(0, 14)));
        expect(kernel.by).toEqual(worker.by);
        forward(there, UPLINK);

        const back = reply(flags, { payload, ttl: 1 + turn });
        const counted = readXdpCounters(object.map("xdp_counters")).egressForward;
        const left = written(() => egress.testRun(back, { egressInterfaceIndex: uplink }));
        const sent = written(() => forward(back, STACK));
        expect(left.result.returnValue).toBe(TC_NEXT);
        expect(readXdpCounters(object.map("xdp_counters")).egressForward).toBe(counted + 1);
        expect(Buffer.from(left.result.data)).toEqual(Buffer.from(sent.result));
        expect(transportFault(left.result.data)).toBe(0);
        expect(left.by).toEqual(sent.by);
        forward(back, STACK);
      }
    });
  });
});

import { expect, test } from "vitest";
import {
  BACKEND,
  BACKEND_MAC,
  BACKEND6,
  gateway,
  KEY,
  LAN,
  VIP,
  VIP6,
  WAN,
  WAN_MAC,
} from "../../test/fixtures/gateway.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseMac } from "../net/mac.ts";
import { packetFrame } from "../wire/packet.ts";
import { AffinityTable } from "./affinity-table.ts";
import { explainPacket, type HypotheticalPacket, type TablesInForce } from "./hypothetical-packet.ts";

const ip = (text: string) => parseIpAddress(text)!;
const CLIENT = "203.0.113.10";
const SYN: HypotheticalPacket = {
  ...{ source: ip(CLIENT), sourcePort: 40_000, destination: ip(VIP), destinationPort: 80 },
  ...{ protocol: "TCP", port: WAN },
};

function setUp(options: Parameters<typeof gateway>[4] = {}) {
  const made = gateway(1, 4096, 1024, undefined, options);
  const { pipeline } = made;
  const tables: TablesInForce = {
    flows: [pipeline.flows4, pipeline.flows6],
    table: pipeline.table,
    fib: pipeline.fib,
    ports: pipeline.ports,
    neighbors: pipeline.neighbors,
    balancing: { affinity: new AffinityTable().words, load: pipeline.load.words },
    key: KEY,
    now: 1,
  };
  return { ...made, tables };
}

test("a packet of a new flow is told its backend and its way out", () => {
  const { tables } = setUp();
  expect(explainPacket(SYN, tables)).toMatchObject({
    verdict: "forwarded",
    reason: null,
    flow: null,
    asksPolicies: false,
    becomes: { source: `${CLIENT}:40000`, destination: `${BACKEND}:8080` },
    leavesBy: { port: LAN, mac: BACKEND_MAC },
  });
  const six = { ...SYN, source: ip("2001:db8:9::1"), destination: ip(VIP6) };
  expect(explainPacket(six, tables).becomes).toEqual({
    source: "[2001:db8:9::1]:40000",
    destination: `[${BACKEND6}]:8080`,
  });
});

test("asking changes nothing: no flow, no counter, no note about a neighbour", () => {
  const { tables, pipeline, flows4, counters } = setUp();
  const unresolved = { ...SYN, port: WAN };
  const before = [
    flows4.words,
    counters.totals,
    pipeline.neighbors.words,
    tables.balancing.load,
    tables.balancing.affinity,
  ];
  const copies = before.map((words) => words.slice());
  explainPacket(unresolved, tables);
  explainPacket({ ...SYN, destination: ip("198.51.100.99") }, tables);
  const octets = ({ buffer }: { buffer: ArrayBufferLike }) => new Uint8Array(buffer);
  const changed = before.filter((words, index) => Buffer.compare(octets(words), octets(copies[index]!)) !== 0);
  expect(changed.length).toBe(0);
});

test("a packet of a live flow belongs to it, in both directions, and the real frame went where it says", () => {
  const { tables, batch, bytes, pipeline } = setUp();
  const mac = parseMac(WAN_MAC)!;
  const frame = packetFrame({
    from: { mac, address: SYN.source, port: 40_000 },
    to: { mac, address: SYN.destination, port: 80 },
    protocol: "tcp",
    flags: "S",
    payload: new Uint8Array(),
  });
  const asked = explainPacket(SYN, tables);
  bytes.set(frame, 512);
  batch.holdOne(512, frame.length, WAN);
  pipeline.run(1);
  const known = explainPacket(SYN, tables);
  expect(known).toMatchObject({ verdict: "forwarded", flow: { state: "opening", by: "worker", isReply: false } });
  expect(known.becomes).toEqual(asked.becomes);
  const reply = { ...SYN, source: ip(BACKEND), sourcePort: 8080, destination: ip(CLIENT), destinationPort: 40_000 };
  expect(explainPacket({ ...reply, port: LAN }, tables)).toMatchObject({
    flow: { isReply: true },
    becomes: { source: `${VIP}:80`, destination: `${CLIENT}:40000` },
  });
});

test("a packet that is not forwarded has the reason that the worker would count", () => {
  const { tables } = setUp({ sources: { action: "deny", ranges: [{ address: ip(CLIENT), prefixLength: 32 }] } });
  expect(explainPacket(SYN, tables)).toMatchObject({ verdict: "dropped", reason: "SourceNotAllowed", becomes: null });
  expect(explainPacket({ ...SYN, destination: ip("192.0.2.1") }, tables)).toMatchObject({
    verdict: "left to the kernel",
    reason: "NotOurAddress",
    vip: null,
  });
  expect(explainPacket({ ...SYN, destinationPort: 81 }, tables)).toMatchObject({
    verdict: "answered by the gateway",
    reason: "NoSuchVip",
    vip: null,
  });
});

test("policies are named, not asked", () => {
  expect(explainPacket(SYN, setUp({ policies: ["p"] }).tables).asksPolicies).toBe(true);
});

/** Requests of other gateways to pods of this node: in tunnels, or with the served address in an option. */
import { beforeEach, describe, expect, test } from "vitest";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { encodePrefix, encodeUdpPort } from "../../src/xdp/door-maps.ts";
import { NEXT, openDoor, PASSES, SERVE, type Verdict, XDP_PASS, XDP_REDIRECT } from "./door.ts";
import { TCP, UDP } from "./frames.ts";
import {
  DESTINATION_OPTIONS,
  fragmentHeader,
  framed,
  HOP_BY_HOP,
  ipv4Packet,
  ipv6Packet,
  joined,
  mapped,
  packet,
  withPorts,
} from "./packets.ts";

const door = openDoor();

const GUE = 6080;
const GENEVE = 6081;
door.settings[4] = encodeUdpPort(GUE);
door.settings[5] = encodeUdpPort(GENEVE);

const TAKEN: Verdict = [XDP_REDIRECT, "redirectTunnel"];
const STRANGER: Verdict = [XDP_PASS, "passStranger"];
const TUNNEL_SHARED = 1;

const NODE = { 4: "192.0.2.20", 6: "2001:db8:a::20" } as const;
const PEER = { 4: "192.0.2.30", 6: "2001:db8:a::30" } as const;
const STRANGERS = { 4: "203.0.113.9", 6: "2001:db8:bad::9" } as const;
const CLIENT = { 4: "198.51.100.7", 6: "2001:db8:c::7" } as const;
const VIP = { 4: "192.0.2.1", 6: "2001:db8:1::1" } as const;
const POD = { 4: "10.2.3.5", 6: "2001:db8:90d::5" } as const;
type Family = 4 | 6;
const FAMILIES: readonly Family[] = [4, 6];

beforeEach(() => {
  door.clear();
  for (const family of FAMILIES) {
    door.own(VIP[family], SERVE);
    door.put("tunnels", mapped(NODE[family]), 0);
    door.put("dsr_backends", mapped(POD[family]));
  }
  door.put("tunnel_sources", encodePrefix(parseIpAddress("192.0.2.24")!, 29));
  door.put("tunnel_sources", encodePrefix(parseIpAddress("2001:db8:a::")!, 64));
});

const request = (family: Family, destination: string = VIP[family]) =>
  packet({ source: CLIENT[family], destination, protocol: TCP }, withPorts(4242, 80));

/** One layer of a tunnel around an inner packet of either family. */
type Wrap = (inner: Uint8Array) => { protocol: number; payload: Uint8Array };

const udp = (port: number, payload: Uint8Array) => ({
  protocol: UDP,
  payload: joined(withPorts(50000, port, 8), payload),
});
const protocolOf = (inner: Uint8Array) => (inner[0]! >> 4 === 4 ? 4 : 41);
const ipip: Wrap = (inner) => ({ protocol: protocolOf(inner), payload: inner });
const gue =
  (words: number[] = []): Wrap =>
  (inner) =>
    udp(GUE, joined([words.length / 4, protocolOf(inner), 0, 0], words, inner));
const gueVariant1: Wrap = (inner) => udp(GUE, inner);
const geneve =
  (options: number[] = []): Wrap =>
  (inner) =>
    udp(GENEVE, joined([options.length / 4, 0, 0x65, 0x58, 0, 0, 2, 0], options, framed(inner)));
const DSR_OPTION = [0x01, 0x4b, 0x81, 2, 192, 0, 2, 1, 0, 80, 0, 0];

function tunnelled(outer: Family, inner: Uint8Array, wrap: Wrap, ends: { source?: string; destination?: string } = {}) {
  const { protocol, payload } = wrap(inner);
  return packet({ source: PEER[outer], destination: NODE[outer], ...ends, protocol }, payload);
}

const KINDS: [string, Wrap][] = [
  ["IPIP", ipip],
  ["GUE", gue()],
  ["GUE with private data", gue([0, 0, 1, 0, 10, 0, 0, 1])],
  ["GUE without a header of its own", gueVariant1],
  ["Geneve", geneve()],
  ["Geneve with a DSR option", geneve(DSR_OPTION)],
];

describe.each(KINDS)("%s", (_name, wrap) => {
  test("from a peer, to a served address or a local pod inside, goes to the socket, in all four pairs of families", () => {
    for (const outer of FAMILIES) {
      for (const inner of FAMILIES) {
        expect(door.judge(framed(tunnelled(outer, request(inner), wrap)))).toEqual(TAKEN);
        expect(door.judge(framed(tunnelled(outer, request(inner, POD[inner]), wrap)))).toEqual(TAKEN);
      }
    }
  });

  test("from a stranger is never for us", () => {
    for (const outer of FAMILIES) {
      const frame = framed(tunnelled(outer, request(4), wrap, { source: STRANGERS[outer] }));
      expect(door.judge(frame)).toEqual(STRANGER);
    }
  });

  test("to another address of the node passes", () => {
    for (const [outer, destination] of [
      [4, "192.0.2.21"],
      [6, "2001:db8:a::21"],
    ] as const) {
      expect(door.judge(framed(tunnelled(outer, request(4), wrap, { destination })))).toEqual(PASSES);
    }
  });

  test("with something inside that is not for us passes", () => {
    for (const outer of FAMILIES) {
      for (const inner of [request(4, "192.0.2.99"), request(6, "2001:db8::99")]) {
        expect(door.judge(framed(tunnelled(outer, inner, wrap)))).toEqual(PASSES);
      }
    }
  });

  test("that ends within the inner header passes", () => {
    for (const inner of [request(4).slice(0, 19), request(6).slice(0, 39)]) {
      expect(door.judge(framed(tunnelled(4, inner, wrap)))).toEqual(PASSES);
    }
  });

  test("is nothing for the egress hook", () => {
    const frame = framed(tunnelled(4, request(4), wrap));
    expect(door.judgeEgress(frame)).toEqual([...NEXT, frame]);
  });
});

describe("a tunnel", () => {
  test("that is fragmented passes: its packet is not whole", () => {
    const { protocol, payload } = ipip(request(4));
    const ends = { source: PEER[4], destination: NODE[4], protocol };
    for (const fragment of [0x2000, 0x0010]) {
      expect(door.judge(framed(ipv4Packet({ ...ends, fragment }, payload)))).toEqual(PASSES);
    }
    const extensions = [fragmentHeader(1, 0, true)];
    expect(
      door.judge(framed(ipv6Packet({ source: PEER[6], destination: NODE[6], protocol, extensions }, payload))),
    ).toEqual(PASSES);
  });

  test("with an impossible header inside passes", () => {
    const patched = (inner: Uint8Array, first: number) => joined([first], inner.subarray(1));
    for (const first of [0x44, 0x55, 0x65]) {
      const inner = patched(request(4), first);
      expect(door.judge(framed(tunnelled(4, inner, () => ({ protocol: 4, payload: inner }))))).toEqual(PASSES);
    }
    const inner = patched(request(6), 0x40);
    expect(door.judge(framed(tunnelled(6, inner, () => ({ protocol: 41, payload: inner }))))).toEqual(PASSES);
  });

  test("of the wrong shape passes", () => {
    const shapes: Wrap[] = [
      (inner) => udp(GUE, joined([0x20, 4, 0, 0], inner)),
      (inner) => udp(GUE, joined([0x80, 4, 0, 0], inner)),
      (inner) => udp(GUE, joined([0, 17, 0, 0], inner)),
      (inner) => udp(GUE, joined([0x1f, 4, 0, 0], inner)),
      (inner) => udp(GENEVE, joined([0x40, 0, 0x65, 0x58, 0, 0, 2, 0], framed(inner))),
      (inner) => udp(GENEVE, joined([0, 0, 0x08, 0x00, 0, 0, 2, 0], framed(inner))),
      (inner) => udp(GENEVE, joined([0x3f, 0, 0x65, 0x58, 0, 0, 2, 0], framed(inner))),
      (inner) => udp(GUE + 7, inner),
      () => udp(GUE, new Uint8Array(1)),
      () => udp(GENEVE, new Uint8Array(3)),
    ];
    for (const wrap of shapes) expect(door.judge(framed(tunnelled(4, request(4), wrap)))).toEqual(PASSES);
  });

  test("at an address that the pod network's overlay uses too is ours only with a DSR option", () => {
    door.put("tunnels", mapped(NODE[4]), TUNNEL_SHARED);
    expect(door.judge(framed(tunnelled(4, request(4, POD[4]), geneve())))).toEqual(PASSES);
    expect(door.judge(framed(tunnelled(4, request(4, POD[4]), geneve([1, 2, 3, 0]))))).toEqual(PASSES);
    expect(door.judge(framed(tunnelled(4, request(4, POD[4]), geneve(DSR_OPTION))))).toEqual(TAKEN);
  });

  test("from a peer's IPv4 address in an IPv6 packet passes", () => {
    const source = `::ffff:${PEER[4]}`;
    expect(door.judge(framed(tunnelled(6, request(4), ipip, { source })))).toEqual(PASSES);
    const destination = `::ffff:${NODE[4]}`;
    expect(door.judge(framed(tunnelled(6, request(4), ipip, { destination })))).toEqual(PASSES);
  });

  test("by UDP is nothing when no port is set", () => {
    door.settings[4] = 0;
    expect(door.judge(framed(tunnelled(4, request(4), gue())))).toEqual(PASSES);
    expect(door.judge(framed(tunnelled(4, request(4), (inner) => udp(0, inner))))).toEqual(PASSES);
    door.settings[4] = encodeUdpPort(GUE);
  });
});

describe("a DSR option", () => {
  const OPTION4 = [0x9a, 0x08, 0, 80, 192, 0, 2, 1];
  const OPTION6 = [2, 0x1b, 0x14, ...mapped(VIP[6]), 0, 80, 0, 0];
  const ends = (family: Family, destination: string = POD[family]) => ({
    source: CLIENT[family],
    destination,
    protocol: TCP,
  });
  const with4 = (options: number[], destination?: string, fragment = 0) =>
    framed(ipv4Packet({ ...ends(4, destination), options, fragment }, withPorts(4242, 80)));
  const with6 = (rest: number[], destination?: string, type = DESTINATION_OPTIONS) =>
    framed(ipv6Packet({ ...ends(6, destination), extensions: [[type, rest]] }, withPorts(4242, 80)));

  test.each([
    ["IPv4", with4(OPTION4)],
    ["IPv4 with more options behind it", with4([...OPTION4, 1, 1, 1, 1])],
    ["a later IPv4 fragment", with4(OPTION4, POD[4], 0x0010)],
    ["IPv6", with6(OPTION6)],
  ])("to a local pod goes to the socket: %s", (_name, frame) => {
    expect(door.judge(frame)).toEqual([XDP_REDIRECT, "redirectDsrOption"]);
  });

  test.each([
    ["IPv4 to another address", with4(OPTION4, "10.2.3.6")],
    ["IPv4 with another option", with4([0x94, 4, 0, 0])],
    ["IPv4 with the option's type and another length", with4([0x9a, 4, 0, 0, 1, 1, 1, 1])],
    ["IPv4 whose header is too short for the option", with4([0x9a, 8, 0, 80])],
    ["IPv4 without options, and the bytes in its payload", framed(ipv4Packet(ends(4), Uint8Array.from(OPTION4)))],
    ["IPv6 to another address", with6(OPTION6, "2001:db8:90d::6")],
    ["IPv6 in hop-by-hop options", with6(OPTION6, POD[6], HOP_BY_HOP)],
    ["IPv6 with another option", with6([0, 0x1e, 4, 0, 0, 0, 0])],
  ])("passes: %s", (_name, frame) => {
    expect(door.judge(frame)).toEqual(PASSES);
  });
});

describe.each(FAMILIES)("a router's word about a tunnel of ours over IPv%i", (family) => {
  const router = STRANGERS[family];
  const icmp = family === 4 ? 1 : 58;
  const tooBig = family === 4 ? [3, 4] : [2, 0];
  const sent = (destination: string, port: number) =>
    packet({ source: NODE[family], destination, protocol: UDP }, withPorts(50000, port, 8));
  const said = (quote: Uint8Array, [type, code]: readonly number[] = tooBig) =>
    framed(
      packet(
        { source: router, destination: NODE[family], protocol: icmp },
        joined([type!, code!, 0, 0, 0, 0, 5, 0xdc], quote),
      ),
    );

  test("that a packet was too big goes to the worker, whatever the tunnel and however short the quote", () => {
    const outer = packet({ source: NODE[family], destination: PEER[family], protocol: 4 }, request(family));
    expect(door.judge(said(outer))).toEqual([XDP_REDIRECT, "redirectTunnelError"]);
    for (const port of [GUE, GENEVE]) {
      expect(door.judge(said(sent(PEER[family], port)))).toEqual([XDP_REDIRECT, "redirectTunnelError"]);
    }
    const header = family === 4 ? 20 : 40;
    expect(door.judge(said(outer.slice(0, header + 8)))).toEqual([XDP_REDIRECT, "redirectTunnelError"]);
  });

  test("passes when it says something else, is about something else, or the tunnel's end is shared", () => {
    const outer = packet({ source: NODE[family], destination: PEER[family], protocol: 4 }, request(family));
    expect(door.judge(said(outer, [family === 4 ? 11 : 3, 0]))).toEqual(PASSES);
    expect(door.judge(said(sent(PEER[family], 53)))).toEqual(PASSES);
    expect(
      door.judge(said(packet({ source: router, destination: PEER[family], protocol: 4 }, request(family)))),
    ).toEqual(PASSES);
    door.put("tunnels", mapped(NODE[family]), TUNNEL_SHARED);
    expect(door.judge(said(outer))).toEqual(PASSES);
  });
});

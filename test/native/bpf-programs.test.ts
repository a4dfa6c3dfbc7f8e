/**
 * The two BPF programs, run by the kernel on single frames (BPF_PROG_TEST_RUN): frame in, verdict out. A real socket
 * stands behind the XSKMAP, because a redirect to none is a pass.
 */
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { PROBE_LIMIT } from "../../src/dataplane/flow-table.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters, type XdpOutcome } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { arpRequest, type Ipv4FrameFields, ipv4Frame, octets, TCP, tagged, UDP } from "./frames.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { clearFlows, type FlowKey, type RowFields, writeRow } from "./reference-flow-table.ts";
import { interfaceIndex, SMALL_RINGS, words } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("pa", "pb", 2);
vethPair("qa", "qb");

const ROWS = 1 << 12;
const PORT = 3;
const XDP_DROP = 1;
const XDP_PASS = 2;
const XDP_REDIRECT = 4;
const TC_NEXT = -1;
const TC_REDIRECT = 7;

const object = BpfObject.load(undefined, { maxEntries: { flows: ROWS } });
const xdp = object.program("sluice_xdp");
const egress = object.program("sluice_egress");
const flows = object.map("flows").mmap();
const settings = object.map("settings").mmap();
const umem = new Umem({ frameCount: 64, frameSize: 2048 });
const socket = new XskSocket(umem, { interface: "pa", queue: 0, ...SMALL_RINGS });
const uplink = { interfaceIndex: interfaceIndex("pa"), queue: 0 };
const key = { k0: 0x01020304, k1: 0xf5f6f7f8 };

object.map("ports").update(words(uplink.interfaceIndex), words(PORT, 0));
object.map("ports").update(words(interfaceIndex("qa")), words(PORT + 1, 1));
object.map("xsks").update(words(PORT * 64), words(socket.fd));
settings.set([key.k0, key.k1, ROWS - 1, interfaceIndex("pb")]);

afterAll(() => {
  socket.close();
  umem.close();
  object.close();
});

const SERVE = 1;
const ARP_ALL = 2;
function own(address: string, flags: number): void {
  object.map("owned4").update(Uint8Array.from(octets(address)), words(flags));
}

beforeEach(() => {
  clearFlows(flows);
  own("192.0.2.1", SERVE);
  own("192.0.2.2", SERVE | ARP_ALL);
  own("192.0.2.3", ARP_ALL);
});

/** The verdict on the uplink, with the one counter that moved. */
function judge(frame: Uint8Array, ingress = uplink): [verdict: number, outcome: XdpOutcome | undefined] {
  const before = readXdpCounters(object.map("xdp_counters"));
  const { returnValue, data } = xdp.testRun(frame, { ingress });
  expect(data, "the program changes no frame").toEqual(frame);
  const after = readXdpCounters(object.map("xdp_counters"));
  const moved = (Object.keys(after) as XdpOutcome[]).filter((outcome) => after[outcome] !== before[outcome]);
  expect(moved).toHaveLength(1);
  return [returnValue, moved[0]];
}

const CLIENT = "198.51.100.7";
const to = (destination: string, fields: Partial<Ipv4FrameFields> = {}) =>
  ipv4Frame({ source: CLIENT, destination, ...fields });

describe("IPv4 to a served address goes to the socket", () => {
  test.each([
    ["UDP", {}],
    ["TCP", { protocol: TCP }],
    ["ICMP", { protocol: 1 }],
    ["a protocol nobody serves", { protocol: 132 }],
    ["a first fragment", { fragment: 0x2000 }],
    ["a later fragment", { fragment: 0x00b9 }],
    ["a header with options", { firstByte: 0x46 }],
    ["an impossible header length", { firstByte: 0x41 }],
    ["a wrong version", { firstByte: 0x65 }],
    ["nothing behind the IPv4 header", { lengthBytes: 34 }],
    ["a full-size frame", { lengthBytes: 1514 }],
  ])("%s", (_name, fields) => {
    expect(judge(to("192.0.2.1", fields))).toEqual([XDP_REDIRECT, "redirectOwned"]);
  });
});

describe("everything else goes to the kernel untouched", () => {
  test.each([
    ["IPv4 to another address", to("192.0.2.9")],
    ["IPv4 to an address owned for ARP only", to("192.0.2.3")],
    ["an IPv4 header that ends before the destination address", to("192.0.2.1", { lengthBytes: 33 })],
    ["a VLAN-tagged frame to a served address", tagged(to("192.0.2.1"))],
    ["an ARP request for another address", arpRequest("192.0.2.9")],
    ["an ARP request for an address served without ARP", arpRequest("192.0.2.1")],
    ["a truncated ARP request", arpRequest("192.0.2.2").slice(0, 41)],
    ["a bare Ethernet header", new Uint8Array(14)],
    ["IPv6", to("192.0.2.1").map((byte, i) => (i === 12 ? 0x86 : i === 13 ? 0xdd : byte))],
  ])("%s", (_name, frame) => {
    expect(judge(frame)).toEqual([XDP_PASS, "passNotOurs"]);
  });

  test("also from an interface that is no port", () => {
    expect(judge(to("192.0.2.1"), { interfaceIndex: interfaceIndex("qb"), queue: 0 })).toEqual([
      XDP_PASS,
      "passUnknownPort",
    ]);
  });

  test("and is dropped on a port that is ours alone", () => {
    expect(judge(to("192.0.2.9"), { interfaceIndex: interfaceIndex("qa"), queue: 0 })).toEqual([
      XDP_DROP,
      "dropNotOurs",
    ]);
  });

  test("a frame of ours passes when its queue has no socket", () => {
    expect(judge(to("192.0.2.1"), { ...uplink, queue: 1 })).toEqual([XDP_PASS, "noSocket"]);
    expect(judge(to("192.0.2.1"), { interfaceIndex: interfaceIndex("qa"), queue: 0 })).toEqual([XDP_PASS, "noSocket"]);
  });
});

describe("ARP is taken", () => {
  test("for an address answered on all interfaces", () => {
    expect(judge(arpRequest("192.0.2.2"))).toEqual([XDP_REDIRECT, "redirectArp"]);
    expect(judge(arpRequest("192.0.2.3"))).toEqual([XDP_REDIRECT, "redirectArp"]);
  });

  test("on the interface it is answered on, and not on another", () => {
    const entry = (index: number) => Uint8Array.of(...octets("192.0.2.1"), ...words(index));
    object.map("arp4").update(entry(interfaceIndex("qa")), Uint8Array.of(1));
    expect(judge(arpRequest("192.0.2.1"))).toEqual([XDP_PASS, "passNotOurs"]);
    object.map("arp4").update(entry(uplink.interfaceIndex), Uint8Array.of(1));
    expect(judge(arpRequest("192.0.2.1"))).toEqual([XDP_REDIRECT, "redirectArp"]);
    object.map("arp4").delete(entry(uplink.interfaceIndex));
  });
});

const POD = "10.2.3.5";
const reply: FlowKey = { source: POD, destination: CLIENT, sourcePort: 8080, destinationPort: 4242, protocol: TCP };
const LIVE_REPLY: RowFields = { live: true, reply: true };

describe("a backend's reply", () => {
  test("of a live flow goes to the socket, and is turned to the inside on egress", () => {
    writeRow(flows, key, reply, LIVE_REPLY);
    expect(judge(ipv4Frame(reply))).toEqual([XDP_REDIRECT, "redirectReply"]);
    expect(egress.testRun(ipv4Frame(reply)).returnValue).toBe(TC_REDIRECT);
  });

  test.each<[string, Partial<FlowKey> & Partial<Ipv4FrameFields>]>([
    ["of another port", { sourcePort: 8081 }],
    ["to another port", { destinationPort: 4243 }],
    ["of another pod", { source: "10.2.3.6" }],
    ["to another client", { destination: "198.51.100.8" }],
    ["of another protocol", { protocol: UDP }],
    ["that is ICMP", { protocol: 1 }],
    ["that is a fragment", { fragment: 0x2000 }],
    ["that has IP options", { firstByte: 0x46 }],
    ["that ends before its ports", { lengthBytes: 37 }],
  ])("%s is not ours", (_name, change) => {
    writeRow(flows, key, reply, LIVE_REPLY);
    const frame = ipv4Frame({ ...reply, ...change });
    expect(judge(frame)).toEqual([XDP_PASS, "passNotOurs"]);
    expect(egress.testRun(frame).returnValue).toBe(TC_NEXT);
  });

  test.each<[string, RowFields]>([
    ["is being written", { live: false, claimed: true, reply: true }],
    ["was withdrawn", { live: false, reply: true }],
    ["is of the request direction", { live: true, reply: false }],
  ])("whose row %s is not ours", (_name, fields) => {
    writeRow(flows, key, reply, fields);
    expect(judge(ipv4Frame(reply))).toEqual([XDP_PASS, "passNotOurs"]);
    expect(egress.testRun(ipv4Frame(reply)).returnValue).toBe(TC_NEXT);
  });

  test("is left to the next program when the inside is not the node's stack", () => {
    writeRow(flows, key, reply, LIVE_REPLY);
    settings[3] = 0;
    expect(egress.testRun(ipv4Frame(reply)).returnValue).toBe(TC_NEXT);
    settings[3] = interfaceIndex("pb");
  });
});

describe("the probe", () => {
  test("finds 500 random flows at the slots that the TypeScript hash computes, wrapped rows included", () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    const keys = Array.from({ length: 500 }, () => ({
      source: `10.${random(256)}.${random(256)}.${random(256)}`,
      destination: `${1 + random(200)}.${random(256)}.${random(256)}.${random(256)}`,
      sourcePort: random(65536),
      destinationPort: random(65536),
      protocol: random(2) === 0 ? TCP : UDP,
    }));
    for (const flow of keys) writeRow(flows, key, flow, LIVE_REPLY);
    for (const flow of keys) expect(judge(ipv4Frame(flow))).toEqual([XDP_REDIRECT, "redirectReply"]);
  });

  test("goes on over a slot that others were placed past, and stops at one that nobody passed", () => {
    const place = writeRow(flows, key, reply, { ...LIVE_REPLY, distance: 3 });
    expect(place.distance).toBe(3);
    expect(judge(ipv4Frame(reply))[1]).toBe("redirectReply");
    flows[place.home * 16 + 3] = 0;
    expect(judge(ipv4Frame(reply))[1]).toBe("passNotOurs");
  });

  test("ends where the writer's probe ends", () => {
    writeRow(flows, key, reply, { ...LIVE_REPLY, distance: PROBE_LIMIT - 1 });
    expect(judge(ipv4Frame(reply))[1]).toBe("redirectReply");
    clearFlows(flows);
    writeRow(flows, key, reply, { ...LIVE_REPLY, distance: PROBE_LIMIT });
    expect(judge(ipv4Frame(reply))[1]).toBe("passNotOurs");
  });
});

/**
 * The two BPF programs, run by the kernel on single frames (BPF_PROG_TEST_RUN): frame in, verdict out. Here what is the
 * same for both families is shown for IPv4, with ARP and the probe; other files have the rest.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { PROBE_LIMIT } from "../../src/dataplane/flow-table.ts";
import {
  NEXT,
  openDoor,
  PASSES,
  PORT,
  RESOLVE_ALL,
  SERVE,
  TC_REDIRECT,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
} from "./door.ts";
import { arpRequest, type Ipv4FrameFields, ipv4Frame, octets, TCP, tagged, UDP } from "./frames.ts";
import { clearFlows, type FlowKey, type RowFields } from "./reference-flow-table.ts";
import { interfaceIndex, words } from "./traffic.ts";

const door = openDoor();
const { judge, uplink, object, flows } = door;

beforeEach(() => {
  door.clear();
  door.own("192.0.2.1", SERVE);
  door.own("192.0.2.2", SERVE | RESOLVE_ALL);
  door.own("192.0.2.3", RESOLVE_ALL);
});

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
    ["an EtherType that is not IP", to("192.0.2.1").map((byte, i) => (i === 12 ? 0x88 : byte))],
  ])("%s", (_name, frame) => {
    expect(judge(frame)).toEqual(PASSES);
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

  test("a frame to a served address is dropped when its queue has no socket, and an ARP request for it passes", () => {
    const noSocket = { interfaceIndex: interfaceIndex("qa"), queue: 0 };
    expect(judge(to("192.0.2.1"), { ...uplink, queue: 1 })).toEqual([XDP_DROP, "noSocket"]);
    expect(judge(to("192.0.2.1"), noSocket)).toEqual([XDP_DROP, "noSocket"]);
    expect(judge(arpRequest("192.0.2.2"), noSocket)).toEqual([XDP_PASS, "noSocket"]);
  });
});

describe("ARP is taken", () => {
  test("for an address answered on all interfaces", () => {
    expect(judge(arpRequest("192.0.2.2"))).toEqual([XDP_REDIRECT, "redirectArp"]);
    expect(judge(arpRequest("192.0.2.3"))).toEqual([XDP_REDIRECT, "redirectArp"]);
  });

  test("on the interface it is answered on, and not on another", () => {
    const entry = (index: number) => Uint8Array.of(...octets("192.0.2.1"), ...words(index));
    door.put("arp4", entry(interfaceIndex("qa")));
    expect(judge(arpRequest("192.0.2.1"))).toEqual(PASSES);
    door.put("arp4", entry(uplink.interfaceIndex));
    expect(judge(arpRequest("192.0.2.1"))).toEqual([XDP_REDIRECT, "redirectArp"]);
    object.map("arp4").delete(entry(uplink.interfaceIndex));
  });
});

const POD = "10.2.3.5";
const reply: FlowKey = { source: POD, destination: CLIENT, sourcePort: 8080, destinationPort: 4242, protocol: TCP };
const LIVE_REPLY: RowFields = { live: true, reply: true };

describe("a backend's reply", () => {
  test("of a live flow goes to the socket, and is turned to the inside on egress", () => {
    door.row(reply);
    expect(judge(ipv4Frame(reply))).toEqual([XDP_REDIRECT, "redirectReply"]);
    expect(door.judgeEgress(ipv4Frame(reply))).toEqual([TC_REDIRECT, "egressReply", ipv4Frame(reply)]);
  });

  test.each<[string, Partial<FlowKey> & Partial<Ipv4FrameFields>]>([
    ["of another port", { sourcePort: 8081 }],
    ["to another port", { destinationPort: 4243 }],
    ["of another pod", { source: "10.2.3.6" }],
    ["to another client", { destination: "198.51.100.8" }],
    ["of another protocol", { protocol: UDP }],
    ["that is ICMP", { protocol: 1 }],
    ["whose header cannot be", { firstByte: 0x44 }],
    ["that ends before its ports", { lengthBytes: 37 }],
  ])("%s is not ours", (_name, change) => {
    door.row(reply);
    const frame = ipv4Frame({ ...reply, ...change });
    expect(judge(frame)).toEqual(PASSES);
    expect(door.judgeEgress(frame)).toEqual([...NEXT, frame]);
  });

  test.each<[string, RowFields]>([
    ["is being written", { live: false, claimed: true, reply: true }],
    ["was withdrawn", { live: false, reply: true }],
    ["is of the request direction", { live: true, reply: false }],
  ])("whose row %s is not ours", (_name, fields) => {
    door.row(reply, fields);
    expect(judge(ipv4Frame(reply))).toEqual(PASSES);
    expect(door.judgeEgress(ipv4Frame(reply)).slice(0, 2)).toEqual(NEXT);
  });

  test("is left to the next program when the inside is not the node's stack", () => {
    door.row(reply);
    door.setPort(uplink.interfaceIndex, { id: PORT });
    expect(door.judgeEgress(ipv4Frame(reply)).slice(0, 2)).toEqual(NEXT);
    door.setPort(uplink.interfaceIndex, { id: PORT, pairInterfaceIndex: interfaceIndex("pb") });
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
    for (const flow of keys) door.row(flow);
    for (const flow of keys) expect(judge(ipv4Frame(flow))).toEqual([XDP_REDIRECT, "redirectReply"]);
  });

  test("goes on over a slot that others were placed past, and stops at one that nobody passed", () => {
    const place = door.row(reply, { ...LIVE_REPLY, distance: 3 });
    expect(place.distance).toBe(3);
    expect(judge(ipv4Frame(reply))[1]).toBe("redirectReply");
    flows[place.home * 16 + 3] = 0;
    expect(judge(ipv4Frame(reply))[1]).toBe("passNotOurs");
  });

  test("ends where the writer's probe ends", () => {
    door.row(reply, { ...LIVE_REPLY, distance: PROBE_LIMIT - 1 });
    expect(judge(ipv4Frame(reply))[1]).toBe("redirectReply");
    clearFlows(flows);
    door.row(reply, { ...LIVE_REPLY, distance: PROBE_LIMIT });
    expect(judge(ipv4Frame(reply))[1]).toBe("passNotOurs");
  });
});

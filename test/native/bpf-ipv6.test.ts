/** The BPF programs on IPv6: served addresses, neighbour solicitations, replies, and the probe of the second table. */
import { beforeEach, describe, expect, test } from "vitest";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "../../src/dataplane/flow-key.ts";
import { NO_ROW, PROBE_LIMIT, TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import { FlowTable6 } from "../../src/dataplane/flow-table6.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { rawPorts, storeAddress } from "../../src/wire/raw.ts";
import { encodeAnswerKey } from "../../src/xdp/door-maps.ts";
import { NEXT, openDoor, PASSES, RESOLVE_ALL, SERVE, TC_REDIRECT, type Verdict, XDP_REDIRECT } from "./door.ts";
import { TCP, UDP } from "./frames.ts";
import {
  AUTHENTICATION,
  DESTINATION_OPTIONS,
  type Extension,
  fragmentHeader,
  framed,
  HOP_BY_HOP,
  ICMPV6,
  ipv6Packet,
  joined,
  mapped,
  ROUTING,
  withPorts,
} from "./packets.ts";
import type { FlowKey, RowFields } from "./reference-flow-table.ts";
import { interfaceIndex } from "./traffic.ts";

const door = openDoor();
const { judge, judgeEgress, flows6 } = door;

const CLIENT = "2001:db8:c::7";
const POD = "2001:db8:90d::5";
const VIP = "2001:db8:1::1";
const BOTH = "2001:db8:1::2";
const RESOLVED = "2001:db8:1::3";

beforeEach(() => {
  door.clear();
  door.own(VIP, SERVE);
  door.own(BOTH, SERVE | RESOLVE_ALL);
  door.own(RESOLVED, RESOLVE_ALL);
});

const to = (destination: string, protocol = TCP, extensions: Extension[] = []) =>
  framed(ipv6Packet({ source: CLIENT, destination, protocol, extensions }, withPorts(4242, 80)));

describe("IPv6 to a served address goes to the socket", () => {
  test.each([
    ["TCP", to(VIP)],
    ["UDP", to(VIP, UDP)],
    ["ICMPv6", to(VIP, ICMPV6)],
    ["a protocol nobody serves", to(VIP, 200)],
    ["a later fragment", to(VIP, UDP, [fragmentHeader(7, 1448, false)])],
    ["extension headers", to(VIP, TCP, [[HOP_BY_HOP, [0, 1, 4, 0, 0, 0, 0]]])],
    ["a wrong version", to(VIP).map((byte, i) => (i === 14 ? 0x40 : byte))],
    ["nothing behind the IPv6 header", to(VIP).slice(0, 54)],
  ])("%s", (_name, frame) => {
    expect(judge(frame)).toEqual([XDP_REDIRECT, "redirectOwned"]);
  });
});

describe("IPv6 that is not ours goes to the kernel", () => {
  test.each([
    ["to another address", to("2001:db8:1::9")],
    ["to an address that is only resolved", to(RESOLVED)],
    ["that ends before its destination does", to(VIP).slice(0, 53)],
    ["with the mapped form of a served IPv4 address", to("::ffff:192.0.2.1")],
  ])("%s", (_name, frame) => {
    door.own("192.0.2.1", SERVE);
    expect(judge(frame)).toEqual(PASSES);
  });
});

describe("a neighbour solicitation", () => {
  const solicitation = (target: string, destination: string, type = 135) =>
    framed(
      ipv6Packet(
        { source: CLIENT, destination, protocol: ICMPV6 },
        joined([type, 0, 0, 0, 0, 0, 0, 0], mapped(target), [1, 1, 2, 0, 0, 0, 0, 2]),
      ),
    );

  test.each([
    ["for an address answered everywhere, to its group", solicitation(RESOLVED, "ff02::1:ff00:3"), "redirectNdp"],
    ["for an address answered everywhere, to itself", solicitation(RESOLVED, RESOLVED), "redirectNdp"],
    ["for an address that is served too, to its group", solicitation(BOTH, "ff02::1:ff00:2"), "redirectNdp"],
    ["for an address that is served too, to itself", solicitation(BOTH, BOTH), "redirectOwned"],
  ] as const)("%s is taken", (_name, frame, outcome) => {
    expect(judge(frame)).toEqual([XDP_REDIRECT, outcome]);
  });

  test.each([
    ["for an address served but not resolved", solicitation(VIP, "ff02::1:ff00:1")],
    ["for another address of the same group", solicitation("2001:db8:2::3", "ff02::1:ff00:3")],
    ["that ends within the target", solicitation(RESOLVED, "ff02::1:ff00:3").slice(0, 77)],
    ["turned advertisement", solicitation(RESOLVED, "ff02::1:ff00:3", 136)],
  ])("%s passes", (_name, frame) => {
    expect(judge(frame)).toEqual(PASSES);
  });

  test("is taken on the interface it is answered on, and not on another", () => {
    const frame = solicitation(VIP, "ff02::1:ff00:1");
    const entry = (index: number) => encodeAnswerKey(parseIpAddress(VIP)!, index);
    door.put("ndp6", entry(interfaceIndex("qa")));
    expect(judge(frame)).toEqual(PASSES);
    door.put("ndp6", entry(door.uplink.interfaceIndex));
    expect(judge(frame)).toEqual([XDP_REDIRECT, "redirectNdp"]);
    door.object.map("ndp6").delete(entry(door.uplink.interfaceIndex));
  });
});

const reply: FlowKey = { source: POD, destination: CLIENT, sourcePort: 8080, destinationPort: 4242, protocol: TCP };
const replyFrame = (change: Partial<FlowKey> = {}, extensions: Extension[] = []) => {
  const { sourcePort, destinationPort, ...fields } = { ...reply, ...change };
  return framed(ipv6Packet({ ...fields, extensions }, withPorts(sourcePort, destinationPort)));
};

/** Both programs' verdicts. */
function expectBoth(frame: Uint8Array, atXdp: Verdict, atEgress: Verdict): void {
  expect(judge(frame)).toEqual(atXdp);
  expect(judgeEgress(frame)).toEqual([...atEgress, frame]);
}
const expectReply = (frame: Uint8Array) =>
  expectBoth(frame, [XDP_REDIRECT, "redirectReply"], [TC_REDIRECT, "egressReply"]);

describe("an IPv6 reply", () => {
  test("of a live flow goes to the socket, and is turned to the inside on egress", () => {
    door.row(reply);
    expectReply(replyFrame());
  });

  const options = (length: number): number[] => [length, ...new Array<number>(6 + 8 * length).fill(0)];
  test.each<[string, Extension[]]>([
    ["hop-by-hop options", [[HOP_BY_HOP, options(0)]]],
    ["long destination options", [[DESTINATION_OPTIONS, options(20)]]],
    [
      "a routing header and an authentication header",
      [
        [ROUTING, options(2)],
        [AUTHENTICATION, [4, ...new Array<number>(22).fill(0)]],
      ],
    ],
    ["an atomic fragment header", [fragmentHeader(9, 0, false)]],
    ["eight headers", Array.from({ length: 8 }, () => [DESTINATION_OPTIONS, options(0)] as const)],
  ])("is recognised behind %s", (_name, extensions) => {
    door.row(reply);
    expectReply(replyFrame({}, extensions));
  });

  test.each<[string, Uint8Array]>([
    ["of another port", replyFrame({ sourcePort: 8081 })],
    ["of another pod", replyFrame({ source: "2001:db8:90d::6" })],
    ["of a pod that differs in its first word", replyFrame({ source: "2001:db9:90d::5" })],
    ["to another client", replyFrame({ destination: "2001:db8:c::8" })],
    ["of another protocol", replyFrame({ protocol: UDP })],
    [
      "behind nine headers",
      replyFrame(
        {},
        Array.from({ length: 9 }, () => [DESTINATION_OPTIONS, options(0)]),
      ),
    ],
    ["behind a header that never ends", replyFrame({}, [[DESTINATION_OPTIONS, [255, 0, 0, 0, 0, 0, 0]]])],
    ["that ends before its ports", replyFrame().slice(0, 57)],
    ["with a wrong version", replyFrame().map((byte, i) => (i === 14 ? 0x50 : byte))],
  ])("%s is not ours", (_name, frame) => {
    door.row(reply);
    expectBoth(frame, PASSES, NEXT);
  });

  test.each<[string, RowFields]>([
    ["is being written", { live: false, claimed: true, reply: true }],
    ["was withdrawn", { live: false, reply: true }],
    ["is of the request direction", { live: true, reply: false }],
  ])("whose row %s is not ours", (_name, fields) => {
    door.row(reply, fields);
    expectBoth(replyFrame(), PASSES, NEXT);
  });
});

describe("the probe for IPv6", () => {
  const table = new FlowTable6(flows6, door.hashKey);
  const words = (key: FlowKey) => {
    const into = newFlowKey();
    storeAddress(into, KEY_SOURCE, parseIpAddress(key.source)!);
    storeAddress(into, KEY_DESTINATION, parseIpAddress(key.destination)!);
    into[KEY_PORTS] = rawPorts(key.sourcePort, key.destinationPort);
    into[KEY_PROTOCOL] = key.protocol;
    return into;
  };

  test("finds 300 random flows at the slots that a slow twin of the hash computes, wrapped rows included", () => {
    let state = 4711;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    const address = () => Array.from({ length: 8 }, () => random(65536).toString(16)).join(":");
    const keys = Array.from({ length: 300 }, () => ({
      source: address(),
      destination: address(),
      sourcePort: random(65536),
      destinationPort: random(65536),
      protocol: [TCP, UDP, 132][random(3)]!,
    }));
    for (const key of keys) door.row(key);
    for (const key of keys) expect(judge(replyFrame(key))).toEqual([XDP_REDIRECT, "redirectReply"]);
    for (const key of keys) expect(table.findKey(table.hashKey(words(key)), words(key))).not.toBe(NO_ROW);
  });

  test("finds what the workers' table publishes, until it is withdrawn", () => {
    const row = table.claim(table.hashKey(words(reply)), words(reply), reply.protocol, TAG_REPLY, 1);
    expectBoth(replyFrame(), PASSES, NEXT);
    table.publish(row);
    expectReply(replyFrame());
    table.withdraw(row, 2);
    expectBoth(replyFrame(), PASSES, NEXT);
  });

  test("stops at a slot that nobody passed, and where the writer's probe ends", () => {
    const place = door.row(reply, { live: true, reply: true, distance: PROBE_LIMIT - 1 });
    expect(judge(replyFrame())[1]).toBe("redirectReply");
    flows6[place.home * 32 + 9] = 0;
    expect(judge(replyFrame())[1]).toBe("passNotOurs");
    door.clear();
    door.row(reply, { live: true, reply: true, distance: PROBE_LIMIT });
    expect(judge(replyFrame())[1]).toBe("passNotOurs");
  });
});

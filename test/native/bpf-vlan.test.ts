/** Ports whose frames carry VLAN tags: exactly theirs, and none for the others. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { VlanTag } from "../../src/xdp/door-maps.ts";
import { NEXT, openDoor, PASSES, PORT, RESOLVE_ALL, SERVE, TC_REDIRECT, XDP_REDIRECT } from "./door.ts";
import { arpRequest, TCP } from "./frames.ts";
import { framed, joined, packet, withPorts } from "./packets.ts";
import { interfaceIndex } from "./traffic.ts";

const door = openDoor();
const pairInterfaceIndex = interfaceIndex("pb");
const port = (...vlan: VlanTag[]) => door.setPort(door.uplink.interfaceIndex, { id: PORT, pairInterfaceIndex, vlan });

const VLAN_100 = { protocol: 0x8100, id: 100 };
const SERVICE_5 = { protocol: 0x88a8, id: 5 };
const TAG_100 = [0x81, 0x00, 0x00, 100];
const TAG_100_URGENT = [0x81, 0x00, 0xf0, 100];
const TAG_101 = [0x81, 0x00, 0x00, 101];
const TAG_356 = [0x81, 0x00, 0x01, 100];
const TAG_SERVICE_5 = [0x88, 0xa8, 0x00, 5];
const TAG_CUSTOMER_5 = [0x81, 0x00, 0x00, 5];

beforeEach(() => {
  door.clear();
  door.own("192.0.2.1", SERVE | RESOLVE_ALL);
  door.own("2001:db8:1::1", SERVE);
});
afterEach(() => port());

const request4 = packet({ source: "198.51.100.7", destination: "192.0.2.1", protocol: TCP }, withPorts(4242, 80));
const request6 = packet({ source: "2001:db8::7", destination: "2001:db8:1::1", protocol: TCP }, withPorts(4242, 80));

describe("a port with one tag", () => {
  beforeEach(() => port(VLAN_100));

  test("takes requests of both families and ARP behind it, whatever their priority", () => {
    const arp = arpRequest("192.0.2.1");
    for (const tag of [TAG_100, TAG_100_URGENT]) {
      expect(door.judge(framed(request4, tag))).toEqual([XDP_REDIRECT, "redirectOwned"]);
      expect(door.judge(framed(request6, tag))).toEqual([XDP_REDIRECT, "redirectOwned"]);
      const tagged = joined(arp.subarray(0, 12), tag, arp.subarray(12));
      expect(door.judge(tagged)).toEqual([XDP_REDIRECT, "redirectArp"]);
    }
  });

  test.each([
    ["no tag", []],
    ["another tag", [TAG_101]],
    ["a tag that differs in its upper bits", [TAG_356]],
    ["a tag of another protocol", [[0x88, 0xa8, 0, 100]]],
    ["a second tag", [TAG_100, TAG_101]],
  ])("passes frames with %s", (_name, tags) => {
    expect(door.judge(framed(request4, ...tags))).toEqual(PASSES);
  });

  test("passes a frame that ends within the tag", () => {
    expect(door.judge(framed(request4, TAG_100).slice(0, 15))).toEqual(PASSES);
    expect(door.judge(framed(request4, TAG_100).slice(0, 17))).toEqual(PASSES);
  });
});

describe("a port with two tags", () => {
  beforeEach(() => port(SERVICE_5, VLAN_100));

  test("takes frames with both, in this order", () => {
    expect(door.judge(framed(request4, TAG_SERVICE_5, TAG_100))).toEqual([XDP_REDIRECT, "redirectOwned"]);
    expect(door.judge(framed(request6, TAG_SERVICE_5, TAG_100))).toEqual([XDP_REDIRECT, "redirectOwned"]);
  });

  test.each([
    ["no tag", []],
    ["only the outer one", [TAG_SERVICE_5]],
    ["only the inner one", [TAG_100]],
    ["both in the other order", [TAG_100, TAG_SERVICE_5]],
    ["another inner one", [TAG_SERVICE_5, TAG_101]],
    ["an outer one of another protocol", [TAG_CUSTOMER_5, TAG_100]],
    ["a third", [TAG_SERVICE_5, TAG_100, TAG_101]],
  ])("passes frames with %s", (_name, tags) => {
    expect(door.judge(framed(request4, ...tags))).toEqual(PASSES);
  });
});

describe.each([
  ["IPv4", "10.2.3.5", "198.51.100.7"],
  ["IPv6", "2001:db8:90d::5", "2001:db8:c::7"],
])("an %s reply on egress", (_name, source, destination) => {
  const reply = packet({ source, destination, protocol: TCP }, withPorts(8080, 4242));
  beforeEach(() => {
    door.row({ source, destination, sourcePort: 8080, destinationPort: 4242, protocol: TCP });
  });

  test("enters the pair without its tags", () => {
    port(VLAN_100);
    expect(door.judgeEgress(framed(reply, TAG_100))).toEqual([TC_REDIRECT, "egressReply", framed(reply)]);
    port(SERVICE_5, VLAN_100);
    expect(door.judgeEgress(framed(reply, TAG_SERVICE_5, TAG_100))).toEqual([
      TC_REDIRECT,
      "egressReply",
      framed(reply),
    ]);
  });

  test("is left alone, tags and all, when they are not the port's", () => {
    for (const tags of [[TAG_100], [TAG_SERVICE_5, TAG_100]]) {
      expect(door.judgeEgress(framed(reply, ...tags))).toEqual([...NEXT, framed(reply, ...tags)]);
    }
    port(VLAN_100);
    for (const tags of [[], [TAG_101]]) {
      expect(door.judgeEgress(framed(reply, ...tags))).toEqual([...NEXT, framed(reply, ...tags)]);
    }
  });
});

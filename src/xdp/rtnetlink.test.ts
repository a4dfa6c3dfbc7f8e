import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { MessageBuilder, type NetlinkMessage, readMessages } from "./netlink-message.ts";
import {
  addressFromBytes,
  addressToBytes,
  decodeAddress,
  decodeLink,
  decodeNeighbor,
  decodeRoute,
  isUsable,
  type NetworkNeighbor,
} from "./rtnetlink.ts";

const ip = (text: string) => parseIpAddress(text)!;
const only = (message: MessageBuilder): NetlinkMessage => readMessages(message.finish()).messages[0]!;

/** struct rtmsg with a destination length, in the main table. */
function route(
  family: number,
  length: number,
  change: Partial<Record<"source" | "tos" | "table" | "type" | "flags", number>> = {},
) {
  const fixed = Uint8Array.of(
    family,
    length,
    change.source ?? 0,
    change.tos ?? 0,
    change.table ?? 254,
    3,
    0,
    change.type ?? 1,
    0,
    0,
    0,
    0,
  );
  new DataView(fixed.buffer).setUint32(8, change.flags ?? 0, true);
  return new MessageBuilder(24, 0, fixed);
}

describe("a route", () => {
  test("through a gateway", () => {
    const message = route(2, 24)
      .bytes(1, addressToBytes(ip("198.51.100.0")))
      .uint32(4, 3)
      .uint32(6, 20);
    expect(decodeRoute(only(message.bytes(5, addressToBytes(ip("10.0.0.1")))))).toEqual({
      destination: ip("198.51.100.0"),
      prefixLength: 24,
      type: "unicast",
      metric: 20,
      preferredSource: null,
      nextHops: [{ interfaceIndex: 3, gateway: ip("10.0.0.1"), weight: 1 }],
    });
  });

  test("without a destination is the default route of its family", () => {
    expect(decodeRoute(only(route(2, 0).uint32(4, 3)))?.destination).toEqual(ip("0.0.0.0"));
    expect(decodeRoute(only(route(10, 0).uint32(4, 3)))?.destination).toEqual(ip("::"));
  });

  test("of IPv4 over an IPv6 router (RFC 8950)", () => {
    const via = Uint8Array.of(10, 0, ...addressToBytes(ip("fe80::1")));
    expect(decodeRoute(only(route(2, 0).uint32(4, 3).bytes(18, via)))?.nextHops).toEqual([
      { interfaceIndex: 3, gateway: ip("fe80::1"), weight: 1 },
    ]);
  });

  test("by several hops leaves out those whose link is dead", () => {
    const hop = (flags: number, weight: number, index: number) => [8, 0, flags, weight - 1, index, 0, 0, 0];
    const multipath = Uint8Array.from([...hop(0, 3, 5), ...hop(1, 1, 6), ...hop(0x10, 1, 7), ...hop(0, 1, 8)]);
    expect(decodeRoute(only(route(2, 0).bytes(9, multipath)))?.nextHops).toEqual([
      { interfaceIndex: 5, gateway: null, weight: 3 },
      { interfaceIndex: 8, gateway: null, weight: 1 },
    ]);
  });

  test.each([
    ["of another table", { table: 255 }],
    ["that is an exception from the cache", { flags: 0x200 }],
    ["of one source only", { source: 24 }],
    ["of one TOS only", { tos: 16 }],
    ["to multicast", { type: 5 }],
  ])("%s is none of ours", (_name, change) => {
    expect(decodeRoute(only(route(2, 24, change).uint32(4, 3)))).toBeNull();
  });

  test("takes the table's number from its attribute, which may be larger than 8 bits", () => {
    expect(decodeRoute(only(route(2, 24).uint32(15, 1000)))).toBeNull();
    expect(decodeRoute(only(route(2, 24, { table: 252 }).uint32(15, 254)))).not.toBeNull();
  });
});

describe("a neighbour", () => {
  const neighbor = (state: NetworkNeighbor["state"], mac: boolean): NetworkNeighbor => ({
    interfaceIndex: 1,
    address: ip("10.0.0.1"),
    mac: (mac ? 1 : null) as NetworkNeighbor["mac"],
    state,
  });

  test("is usable exactly when the kernel would send to its MAC", () => {
    const states = ["reachable", "stale", "delay", "probe", "permanent", "noarp"] as const;
    for (const state of states) expect(isUsable(neighbor(state, true))).toBe(true);
    for (const state of states) expect(isUsable(neighbor(state, false))).toBe(false);
    for (const state of ["none", "incomplete", "failed"] as const) expect(isUsable(neighbor(state, true))).toBe(false);
  });
});

describe("decoding", () => {
  test("an address keeps its value, of either family", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
        (bytes) => {
          expect(addressToBytes(addressFromBytes(bytes)!)).toEqual(bytes);
        },
      ),
    );
  });

  test("random bodies never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const message = { type: 0, flags: 0, body: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
        for (const decode of [decodeLink, decodeAddress, decodeRoute, decodeNeighbor]) decode(message);
      }),
      { numRuns: 5000 },
    );
  });
});

import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { encodeAddress, encodeAnswerKey, encodePrefix, encodeUdpPort } from "./door-maps.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const address = (text: string) => parseIpAddress(text)!;

describe("the door's maps", () => {
  test("have an address of either family in sixteen bytes", () => {
    expect(hex(encodeAddress(address("192.0.2.1")))).toBe("00000000000000000000ffffc0000201");
    expect(hex(encodeAddress(address("2001:db8::1")))).toBe("20010db8000000000000000000000001");
  });

  test("count the bits of an IPv4 prefix from the mapped address", () => {
    expect(hex(encodePrefix(address("10.0.0.0"), 8))).toBe("6800000000000000000000000000ffff0a000000");
    expect(hex(encodePrefix(address("2001:db8::"), 32))).toBe("2000000020010db8000000000000000000000000");
  });

  test("have the interface behind the address that is answered for", () => {
    expect(hex(encodeAnswerKey(address("2001:db8::1"), 258))).toBe("20010db800000000000000000000000102010000");
    expect(hex(encodeAnswerKey(address("192.0.2.1"), 258))).toBe("c000020102010000");
  });

  test("have a UDP port as a raw load sees it", () => {
    expect(encodeUdpPort(6081)).toBe(0xc117);
  });
});

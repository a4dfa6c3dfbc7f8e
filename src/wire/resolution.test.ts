import { describe, expect, test } from "vitest";
import { internetChecksum } from "../../test/fixtures/frames.ts";
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseMac } from "../net/mac.ts";
import { gratuitousArp, unsolicitedAdvertisement } from "./announcement.ts";
import { arpRequest, neighborSolicitation, readAddressClaim, solicitedNodeGroup } from "./resolution.ts";

const MAC = parseMac("02:00:00:00:0a:01")!;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const ip = (text: string) => parseIpAddress(text)!;

describe("a question", () => {
  test("by ARP goes to everybody and names the asker", () => {
    const arp = "0001 0800 06 04 0001 020000000a01 0a000501 000000000000 c633640a".replaceAll(" ", "");
    expect(hex(arpRequest(ip("198.51.100.10"), ip("10.0.5.1"), MAC))).toBe(`ffffffffffff020000000a010806${arp}`);
  });

  test("by NDP goes to the target's group, with hop limit 255, our MAC and a checksum that holds", () => {
    const frame = neighborSolicitation(ip("2001:db8::12:3456"), ip("fe80::1"), MAC);
    expect(hex(frame.subarray(0, 14))).toBe("3333ff123456020000000a0186dd");
    expect(frame[14 + 7]).toBe(255);
    expect(hex(frame.subarray(14 + 24, 14 + 40))).toBe("ff0200000000000000000001ff123456");
    expect(hex(frame.subarray(-8))).toBe("0101020000000a01");
    const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58])]);
    expect(internetChecksum(Buffer.concat([pseudo, frame.subarray(54)]))).toBe(0);
  });

  test("finds the group of an address", () => {
    expect(formatIpAddress(solicitedNodeGroup(ip("fd00::aabb:ccdd")))).toBe("ff02::1:ffbb:ccdd");
  });
});

describe("a claim", () => {
  test("is read from announcements of both families", () => {
    expect(readAddressClaim(gratuitousArp(parseIpv4("10.0.5.100")!, MAC, "request"))).toEqual({
      ...{ address: ip("10.0.5.100"), mac: MAC, isAnswer: false },
    });
    expect(readAddressClaim(unsolicitedAdvertisement(ip("fd00::5"), MAC))).toEqual({
      ...{ address: ip("fd00::5"), mac: MAC, isAnswer: false },
    });
  });

  test("is not made by a probe, a solicitation, or a frame that is cut", () => {
    expect(readAddressClaim(arpRequest(ip("10.0.5.100"), null, MAC))).toBeNull();
    expect(readAddressClaim(neighborSolicitation(ip("fd00::5"), ip("fe80::1"), MAC))).toBeNull();
    for (const frame of [
      gratuitousArp(parseIpv4("10.0.5.100")!, MAC, "reply"),
      unsolicitedAdvertisement(ip("fd00::5"), MAC),
    ]) {
      for (let length = 0; length < frame.length; length++)
        expect(readAddressClaim(frame.subarray(0, length))).toBeNull();
    }
  });
});

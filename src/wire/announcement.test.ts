import { describe, expect, it } from "vitest";
import { internetChecksum } from "../../test/fixtures/frames.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseMac } from "../net/mac.ts";
import { gratuitousArp, unsolicitedAdvertisement } from "./announcement.ts";

const MAC = parseMac("02:00:00:00:0a:01")!;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("gratuitous ARP", () => {
  const address = parseIpv4("198.51.100.10")!;

  it("as a request is the ARP Announcement of RFC 5227: sender and target address alike, target MAC zero", () => {
    const ethernet = "ffffffffffff 02000000 0a01 0806".replaceAll(" ", "");
    const arp = "0001 0800 06 04 0001 020000000a01 c633640a 000000000000 c633640a".replaceAll(" ", "");
    expect(hex(gratuitousArp(address, MAC, "request"))).toBe(ethernet + arp);
  });

  it("as a reply has the announced MAC as its target", () => {
    const ethernet = "ffffffffffff 02000000 0a01 0806".replaceAll(" ", "");
    const arp = "0001 0800 06 04 0002 020000000a01 c633640a 020000000a01 c633640a".replaceAll(" ", "");
    expect(hex(gratuitousArp(address, MAC, "reply"))).toBe(ethernet + arp);
  });
});

describe("an unsolicited Neighbor Advertisement", () => {
  const frame = unsolicitedAdvertisement(parseIpAddress("2001:db8:ff::10")!, MAC);

  it("goes to all nodes with hop limit 255, Override set and Solicited clear, and carries our MAC", () => {
    const address = "20010db800ff00000000000000000010";
    const expected = [
      "333300000001020000000a0186dd",
      `6000000000203aff${address}ff020000000000000000000000000001`,
      `8800....20000000${address}0201020000000a01`,
    ].join("");
    expect(hex(frame).replace(/^(.{108}8800)..../, "$1....")).toBe(expected);
  });

  it("has a checksum that holds (RFC 4443 §2.3)", () => {
    const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58])]);
    expect(internetChecksum(Buffer.concat([pseudo, frame.subarray(54)]))).toBe(0);
  });
});

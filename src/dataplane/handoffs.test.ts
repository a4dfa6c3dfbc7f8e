import { expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseMac } from "../net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import { Handoffs, NO_HANDOFF } from "./handoffs.ts";

function words(text: string): Int32Array {
  const address = new Int32Array(ADDRESS_WORDS);
  storeAddress(address, 0, parseIpAddress(text)!);
  return address;
}

const MAC = parseMac("02:11:22:33:44:55")!;

test("an address is handed on to the MAC, byte by byte, until its time is over", () => {
  const handoffs = new Handoffs();
  handoffs.set(words("10.0.5.100"), MAC, 100);
  handoffs.set(words("fd05::100"), MAC, 100);
  const slot = handoffs.find(words("10.0.5.100"), 0, 99);
  const bytes = new DataView(new ArrayBuffer(6));
  bytes.setInt32(0, handoffs.macFirst(slot), true);
  bytes.setUint16(4, handoffs.macLast(slot), true);
  expect(Buffer.from(bytes.buffer).toString("hex")).toBe("021122334455");
  expect(handoffs.find(words("fd05::100"), 0, 100)).not.toBe(NO_HANDOFF);
  expect(handoffs.find(words("10.0.5.100"), 0, 101)).toBe(NO_HANDOFF);
  expect(handoffs.find(words("10.0.5.101"), 0, 99)).toBe(NO_HANDOFF);
});

test("an address that is given up is handed on no longer, and its slot is used again", () => {
  const handoffs = new Handoffs();
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 256; index++) handoffs.set(words(`10.0.5.${index}`), MAC, 100);
    handoffs.set(words("10.0.6.1"), MAC, 100);
    expect(handoffs.find(words("10.0.6.1"), 0, 1)).toBe(NO_HANDOFF);
    for (let index = 0; index < 256; index++) handoffs.remove(words(`10.0.5.${index}`));
    expect(handoffs.find(words("10.0.5.7"), 0, 1)).toBe(NO_HANDOFF);
  }
});

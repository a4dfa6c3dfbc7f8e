import { expect, test } from "vitest";
import { formatExtendedCommunity } from "./extended-community.ts";
import { parseHex } from "./octets.ts";

test.each([
  ["0002fde800000064", "rt:65000:100"],
  ["0102c0000201000f", "rt:192.0.2.1:15"],
  ["0202000111700005", "rt:70000:5"],
  ["0003fde800000064", "soo:65000:100"],
  ["4004fde84cee6b28", "link-bandwidth:65000:125000000"],
  ["030b000000000000", "030b000000000000"],
  ["0605000000000000", "0605000000000000"],
])("%s is %s", (hex, words) => {
  expect(formatExtendedCommunity(parseHex(hex)!)).toBe(words);
});

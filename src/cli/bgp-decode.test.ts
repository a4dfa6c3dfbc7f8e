import { expect, test } from "vitest";
import { bgpDecode, bgpDecodeLine, bgpEncode, bgpEncodeLine } from "./bgp-decode.ts";

const UPDATE =
  "ffffffffffffffffffffffffffffffff00300200000014400101004002060201 0000fde84003040a01010220c0a80a64".replace(" ", "");

test("an UPDATE is printed with its prefix, next hop and path", () => {
  expect(JSON.parse(bgpDecodeLine(UPDATE))).toEqual({
    type: "UPDATE",
    withdrawn: [],
    attributes: { origin: "IGP", asPath: [65000], nextHop: "10.1.1.2" },
    nlri: ["192.168.10.100/32"],
  });
});

test("what is malformed is printed with the reaction and its codes", () => {
  const bad = UPDATE.replace("40010100", "40010109");
  expect(JSON.parse(bgpDecodeLine(bad))).toMatchObject({
    withdrawn: ["192.168.10.100/32"],
    error: { action: "treat-as-withdraw", code: 3, subcode: 6 },
  });
  expect(JSON.parse(bgpDecodeLine(UPDATE.replace("ff", "00")))).toEqual({
    error: { action: "session-reset", code: 1, subcode: 1, message: "the marker is not all ones" },
  });
  expect(JSON.parse(bgpDecodeLine("xyz"))).toEqual({ error: { message: "not a line of hex" } });
});

test("encoding what was decoded gives the same hex, line by line", () => {
  const lines = [UPDATE, "", "ffffffffffffffffffffffffffffffff001304"];
  expect([...bgpEncode(bgpDecode(lines, { as4: true }))]).toEqual([lines[0], lines[2]]);
});

test("JSON that is no message names the field that is wrong", () => {
  expect(bgpEncodeLine('{"type":"UPDATE","nlri":["x"]}')).toBe(
    '{"error":{"message":"nlri[0]: an IPv4 prefix expected"}}',
  );
  expect(bgpEncodeLine("{")).toBe('{"error":{"message":"not a line of JSON"}}');
});

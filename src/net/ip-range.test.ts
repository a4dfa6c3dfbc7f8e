import { describe, expect, test } from "vitest";
import { formatIpAddress, parseIpAddress } from "./ip-address.ts";
import { formatRange, parseCidrRange, parseIpInterface, rangeContains, rangeSize, rangesOverlap } from "./ip-range.ts";

describe("ranges of addresses", () => {
  test.each([
    ["10.0.10.0/24", "10.0.10.0 - 10.0.10.255", 256n],
    ["10.0.10.77/24", "10.0.10.0 - 10.0.10.255", 256n],
    ["10.0.0.1/32", "10.0.0.1 - 10.0.0.1", 1n],
    ["0.0.0.0/0", "0.0.0.0 - 255.255.255.255", 1n << 32n],
    ["2001:db8::/64", "2001:db8:: - 2001:db8::ffff:ffff:ffff:ffff", 1n << 64n],
  ])("%s is %s", (cidr, range, size) => {
    const parsed = parseCidrRange(cidr)!;
    expect(formatRange(parsed)).toBe(range);
    expect(rangeSize(parsed)).toBe(size);
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "::/129", "10.0.0/8", "/8"])(
    "%s is no CIDR",
    (text) => {
      expect(parseCidrRange(text)).toBeNull();
    },
  );

  test("the address of an interface keeps its host bits", () => {
    expect(formatIpAddress(parseIpInterface("10.0.5.1/24")!.address)).toBe("10.0.5.1");
  });

  test("ranges of different families have nothing in common", () => {
    const v4 = parseCidrRange("0.0.0.0/0")!;
    const v6 = parseCidrRange("::/0")!;
    expect(rangesOverlap(v4, v6)).toBe(false);
    expect(rangeContains(v6, parseIpAddress("0.0.0.1")!)).toBe(false);
  });
});

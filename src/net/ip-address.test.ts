import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIpAddress, parseIpAddress } from "./ip-address.ts";

describe("IP addresses of both families", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["fe80:0:0:0:0:0:0:0", "fe80::"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["ff::123", "ff::123"],
  ])("%s is written as %s", (text, canonical) => {
    expect(formatIpAddress(parseIpAddress(text)!)).toBe(canonical);
  });

  test.each(["", "1.2.3", "1.2.3.256", "01.2.3.4", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345"])(
    "%j is no address",
    (text) => {
      expect(parseIpAddress(text)).toBeNull();
    },
  );

  test.each(["fe80::1%eth0", "1:2:3:4:5:6:7::8:9", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:8::"])(
    "%j is no address either",
    (text) => {
      expect(parseIpAddress(text)).toBeNull();
    },
  );

  test("what is written is read back as the same address", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
        expect(parseIpAddress(formatIpAddress({ family: 6, value }))).toEqual({ family: 6, value });
      }),
    );
  });

  test("addresses full of zeros are read back too", () => {
    const groups = fc.array(fc.constantFrom(0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (parts) => {
        const value = parts.reduce<bigint>((sum, part) => (sum << 16n) | part, 0n);
        expect(parseIpAddress(formatIpAddress({ family: 6, value }))).toEqual({ family: 6, value });
      }),
    );
  });
});

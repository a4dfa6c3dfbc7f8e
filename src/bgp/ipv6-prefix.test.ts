import { isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIpv6, formatIpv6Prefix, parseIpv6, parseIpv6Prefix } from "./ipv6-prefix.ts";

test.each([
  ["0:0:0:0:0:0:0:0", "::"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0DB8::0001", "2001:db8::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
  ["fe80:0:0:0:0:0:0:1", "fe80::1"],
])("%s is written %s", (text, canonical) => {
  expect(formatIpv6(parseIpv6(text)!)).toBe(canonical);
});

test.each(["", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "fe80::1%eth0", "1.2.3.4::"])(
  "%j is not an address",
  (text) => {
    expect(parseIpv6(text)).toBeNull();
  },
);

test("every address survives being written and read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const text = formatIpv6(bytes);
      expect(isIPv6(text)).toBe(true);
      expect(Array.from(parseIpv6(text)!)).toEqual(Array.from(bytes));
    }),
  );
});

test("host bits of a prefix are cleared", () => {
  expect(formatIpv6Prefix(parseIpv6Prefix("2001:db8:ffff::1/35")!)).toBe("2001:db8:e000::/35");
  expect(parseIpv6Prefix("2001:db8::/129")).toBeNull();
});

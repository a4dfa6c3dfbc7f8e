/** Addresses as networks have them, one after another, must not end up in one place of a table. */
import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { addressWords, home } from "./address-hash.ts";
import { NeighborTable, NO_NEIGHBOR, neighborTableMemory } from "./neighbor-table.ts";

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe.each([
  { what: "hosts of a /22", address: (n: number) => `10.2.${n >> 8}.${n & 255}` },
  { what: "the first hosts of 1,000 networks", address: (n: number) => `10.${n >> 8}.${n & 255}.1` },
  { what: "hosts of an IPv6 network", address: (n: number) => `2001:db8:2::${(n + 1).toString(16)}` },
  { what: "first hosts of IPv6 networks", address: (n: number) => `fd00:0:0:${(n + 1).toString(16)}::1` },
])("1,000 addresses, $what", ({ address }) => {
  test("all find a place in a neighbour table of 4,096 rows", () => {
    const table = new NeighborTable(neighborTableMemory(4096));
    const indexes = range(1_000).map((n) =>
      table.set(addressWords(parseIpAddress(address(n))!), 1, 5 as Mac, 6 as Mac),
    );
    expect(indexes).not.toContain(NO_NEIGHBOR);
    expect(new Set(indexes).size).toBe(1_000);
  });

  test("have homes all over an index of 2,048 slots", () => {
    const homes = new Set(range(1_000).map((n) => home(addressWords(parseIpAddress(address(n))!), 0, 80, 2048)));
    // By chance 791 of them would differ.
    expect(homes.size).toBeGreaterThan(700);
  });
});

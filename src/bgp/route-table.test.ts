import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { route } from "../../test/fixtures/bgp-peers.ts";
import { compileRoutes } from "./compile-routes.ts";
import { routeDifference } from "./route-difference.ts";
import { findRoute, NO_ROUTES, type RouteTable, rowText, sameTable, tableSize } from "./route-table.ts";
import type { RouteSpec } from "./speaker-spec.ts";

const anyRoute = fc
  .record({
    prefix: fc.oneof(
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(8, 24, 31, 32)).map(([i, n]) => `${i}.0.0.${i}/${n}`),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(32, 127, 128)).map(([i, n]) => `2001:${i}::${i}/${n}`),
    ),
    communities: fc.constantFrom([], ["65000:1"], ["65000:2"]),
  })
  .map(({ prefix, communities }) =>
    route(prefix, prefix.includes(":") ? { communities, nextHop: "2001:db8::ff" } : { communities }),
  );
const anyRoutes = fc.array(anyRoute, { maxLength: 60 });

/** The slow twin: what the table says, by canonical text. */
function told(table: RouteTable): Map<string, string> {
  const found = new Map<string, string>();
  for (const afi of ["ipv4", "ipv6"] as const) {
    for (const [row, index] of table[afi].attributes.entries()) {
      found.set(rowText(table[afi], afi, row), table.attributes[index]!.identity);
    }
  }
  return found;
}

const canonical = (one: RouteSpec) =>
  told(compileRoutes([one]))
    .keys()
    .next().value!;

test("has each declared prefix once, in ascending order, with what was declared last", () => {
  fc.assert(
    fc.property(anyRoutes, (routes) => {
      const table = compileRoutes(routes);
      const expected = new Map(routes.map((one) => [canonical(one), one.communities.join()]));
      expect(tableSize(table)).toBe(expected.size);
      for (const [prefix, communities] of expected) {
        const found = findRoute(table, prefix);
        expect(found === null || found === "unreadable" ? found : found.example.communities.join()).toBe(communities);
      }
      expect(findRoute(table, "198.51.100.0/24")).toBeNull();
      expect(findRoute(table, "198.51.100.0/33")).toBe("unreadable");
    }),
  );
});

test("two tables are the same exactly when they say the same in the same words", () => {
  fc.assert(
    fc.property(anyRoutes, anyRoutes, (left, right) => {
      expect(sameTable(compileRoutes(left), compileRoutes([...left]))).toBe(true);
      const alike = JSON.stringify([...told(compileRoutes(left))]) === JSON.stringify([...told(compileRoutes(right))]);
      if (!alike) expect(sameTable(compileRoutes(left), compileRoutes(right))).toBe(false);
    }),
  );
});

describe("the difference of two tables", () => {
  test("taken from the one and added to it gives the other", () => {
    fc.assert(
      fc.property(anyRoutes, anyRoutes, (before, after) => {
        const [from, to] = [compileRoutes(before), compileRoutes(after)];
        const peer = told(from);
        for (const afi of ["ipv4", "ipv6"] as const) {
          const { gone, changed } = routeDifference(from, to, afi, false);
          for (const row of gone) peer.delete(rowText(from[afi], afi, row));
          for (const row of changed) {
            const text = rowText(to[afi], afi, row);
            const identity = to.attributes[to[afi].attributes[row]!]!.identity;
            expect(peer.get(text), "nothing is told twice").not.toBe(identity);
            peer.set(text, identity);
          }
          const kinds = Array.from(changed, (row) => to[afi].attributes[row]!);
          expect(kinds, "equal attributes stand together").toEqual(kinds.toSorted((a, b) => a - b));
        }
        expect([...peer].sort()).toEqual([...told(to)].sort());
      }),
    );
  });

  test("is everything in the new one when it is to be told again", () => {
    const table = compileRoutes([route("10.0.0.1/32"), route("10.0.0.2/32")]);
    expect(routeDifference(table, table, "ipv4", false).changed).toHaveLength(0);
    expect(routeDifference(table, table, "ipv4", true).changed).toHaveLength(2);
    expect(routeDifference(table, NO_ROUTES, "ipv4", true).gone).toHaveLength(2);
  });
});

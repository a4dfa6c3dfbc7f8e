import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIpv4Prefix } from "../net/ipv4.ts";
import { Ipv4RouteStore } from "./ipv4-route-store.ts";
import { formatPrefixKey, type PrefixKey, prefixKey } from "./nlri.ts";

const key = (text: string) => prefixKey(parseIpv4Prefix(text)!);
/** Few prefixes and long runs: many of them meet in one place of the table. */
const anyKey = fc
  .record({ last: fc.integer({ min: 0, max: 255 }), length: fc.constantFrom(0, 8, 24, 31, 32) })
  .map(({ last, length }) => key(`10.0.0.${last}/${length}`));

type Step =
  | { readonly do: "set"; readonly keys: PrefixKey[]; readonly value: string }
  | { readonly do: "delete"; readonly key: PrefixKey }
  | { readonly do: "mark" | "deleteMarked" | "clear" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("set" as const), keys: fc.array(anyKey), value: fc.string() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("delete" as const), key: anyKey }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("mark" as const, "deleteMarked" as const, "clear" as const) }),
  },
);

test("after any steps it holds what a plain map and a set of marks hold", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), fc.integer({ min: 1, max: 200 }), (steps, most) => {
      const store = new Ipv4RouteStore<string>();
      const twin = new Map<PrefixKey, string>();
      let marked = new Set<PrefixKey>();
      for (const step of steps) {
        if (step.do === "set") {
          store.setAll(step.keys, step.value, most);
          for (const one of step.keys) {
            if (twin.has(one) || twin.size < most) {
              twin.set(one, step.value);
              marked.delete(one);
            }
          }
        } else if (step.do === "delete") {
          store.delete(step.key);
          twin.delete(step.key);
          marked.delete(step.key);
        } else if (step.do === "mark") {
          store.mark();
          marked = new Set(twin.keys());
        } else if (step.do === "deleteMarked") {
          store.deleteMarked();
          for (const one of marked) twin.delete(one);
          marked.clear();
        } else {
          store.clear();
          twin.clear();
          marked.clear();
        }
        expect(store.size).toBe(twin.size);
      }
      expect([...store.entries()].sort()).toEqual(
        [...twin].map(([one, value]) => [formatPrefixKey(one), value]).sort(),
      );
    }),
  );
});

test("says when not all were kept, and keeps changing what it has", () => {
  const store = new Ipv4RouteStore<string>();
  expect(store.setAll([key("10.0.0.1/32"), key("10.0.0.2/32")], "first", 2)).toBe(true);
  expect(store.setAll([key("10.0.0.2/32"), key("10.0.0.3/32")], "second", 2)).toBe(false);
  expect(Object.fromEntries(store.entries())).toEqual({ "10.0.0.1/32": "first", "10.0.0.2/32": "second" });
});

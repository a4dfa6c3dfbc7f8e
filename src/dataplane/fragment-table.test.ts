import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storeMapped } from "../wire/raw.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "./flow-key.ts";
import { FragmentTable, LIFETIME_SECONDS, NO_FRAGMENT } from "./fragment-table.ts";

function key(source: number, ports = 0): FlowKey {
  const made = newFlowKey();
  storeMapped(made, KEY_SOURCE, source);
  storeMapped(made, KEY_DESTINATION, 7);
  made[KEY_PORTS] = ports;
  made[KEY_PROTOCOL] = 17;
  return made;
}

type Step =
  | {
      readonly kind: "first";
      readonly source: number;
      readonly id: number;
      readonly ports: number;
      readonly end: number;
    }
  | { readonly kind: "later"; readonly source: number; readonly id: number }
  | { readonly kind: "wait"; readonly seconds: number };

const source = fc.integer({ min: 1, max: 4 });
const id = fc.integer({ min: 0, max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("first" as const),
    source,
    id,
    ports: fc.integer({ min: 1, max: 9 }),
    end: fc.integer({ min: 8, max: 1480 }),
  }),
  fc.record({ kind: fc.constant("later" as const), source, id }),
  fc.record({ kind: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: LIFETIME_SECONDS }) }),
);

describe("the fragment table", () => {
  it("agrees with a Map under any sequence of fragments and pauses", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new FragmentTable();
        const twin = new Map<string, { ports: number; end: number; since: number }>();
        let now = 100;
        for (const one of steps) {
          if (one.kind === "wait") {
            now += one.seconds;
            continue;
          }
          const name = `${one.source} ${one.id}`;
          if (one.kind === "first") {
            expect(table.remember(key(one.source, one.ports), one.id, one.end, now)).toBe(true);
            twin.set(name, { ports: one.ports, end: one.end, since: now });
            continue;
          }
          const known = twin.get(name);
          const entry = table.find(key(one.source), one.id, now);
          if (known === undefined || now - known.since >= LIFETIME_SECONDS) {
            expect(entry).toBe(NO_FRAGMENT);
          } else {
            expect([table.ports(entry), table.firstEnd(entry)]).toEqual([known.ports, known.end]);
          }
        }
      }),
    );
  });

  it("is bounded: who fills it finds no more room, and after a while finds it again", () => {
    const table = new FragmentTable();
    const fill = (now: number) => {
      let kept = 0;
      for (let one = 0; one < 20_000; one++) if (table.remember(key(one + 1, 5), one, 8, now)) kept++;
      return kept;
    };
    const kept = fill(100);
    expect(kept).toBeGreaterThan(3500);
    expect(kept).toBeLessThan(4097);
    expect(fill(101)).toBeLessThan(kept + 1);
    expect(fill(101 + LIFETIME_SECONDS)).toBeGreaterThan(3500);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endsOf, FreeGaps } from "./free-gaps.ts";

/** The slow twin: every address of the block in a list. */
class FreeList {
  #free: number[];
  constructor(first: number, last: number) {
    this.#free = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }
  has(value: number): boolean {
    return this.#free.includes(value);
  }
  count(): number {
    return this.#free.length;
  }
  take(first: number, last: number): void {
    this.#free = this.#free.filter((value) => value < first || value > last);
  }
  takeNext(): number | null {
    const runs: number[][] = [];
    for (const value of this.#free) {
      const run = runs.at(-1);
      if (run !== undefined && run.at(-1) === value - 1) run.push(value);
      else runs.push([value]);
    }
    const shortest = Math.min(...runs.map((run) => run.length));
    const next = runs.find((run) => run.length === shortest)?.[0];
    if (next === undefined) return null;
    this.take(next, next);
    return next;
  }
}

const block = (first: number, last: number) => ({ family: 4 as const, first: BigInt(first), last: BigInt(last) });

describe("the free addresses of a block", () => {
  test("behave as a plain list of them does", () => {
    const step = fc.oneof(
      fc.record({ take: fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 6 })) }),
      fc.constant("next" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const fast = new FreeGaps(block(5, 35));
        const slow = new FreeList(5, 35);
        for (const each of steps) {
          if (each === "next") {
            const next = slow.takeNext();
            expect(fast.takeNext()).toBe(next === null ? null : BigInt(next));
          } else {
            const [first, more] = each.take;
            fast.take({ first: BigInt(first), last: BigInt(first + more) });
            slow.take(first, first + more);
          }
          expect(fast.count()).toBe(BigInt(slow.count()));
          for (let value = 0; value <= 41; value++) expect(fast.has(BigInt(value))).toBe(slow.has(value));
        }
      }),
      { numRuns: 60 },
    );
  });

  test("of a v6 /64 are known at once", () => {
    const gaps = new FreeGaps({ family: 6, first: 1n << 64n, last: (2n << 64n) - 1n });
    expect(gaps.takeNext()).toBe(1n << 64n);
    expect(gaps.count()).toBe((1n << 64n) - 1n);
  });

  test("include both ends where there is nothing to spare", () => {
    expect(endsOf(block(1, 1))).toEqual([]);
    expect(endsOf(block(1, 2))).toEqual([]);
    expect(endsOf(block(1, 4))).toEqual([1n, 4n]);
  });
});

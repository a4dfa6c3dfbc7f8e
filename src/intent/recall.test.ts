import { expect, test, vi } from "vitest";
import { Recall, settled } from "./recall.ts";
import { sameValue } from "./same-value.ts";

test("what was made from the very same things is not made again, and what nobody asked for is forgotten", () => {
  const recall = new Recall<number>();
  const make = vi.fn((before: number | undefined) => (before ?? 0) + 1);
  const [a, b] = [{}, {}];
  const round = (...inputs: readonly object[]) => {
    const value = recall.of("x", inputs, make);
    recall.endRound();
    return value;
  };
  expect([round(a), round(a), round(b), round(b)]).toEqual([1, 1, 2, 2]);
  expect(make).toHaveBeenCalledTimes(2);
  recall.endRound();
  expect(round(b)).toBe(1);
});

test("a list stays itself as long as its elements do", () => {
  const one = {};
  const list = [one];
  expect(settled(list, [one])).toBe(list);
  expect(settled(list, [{}])).not.toBe(list);
});

test.each([
  [{ a: 1n, b: [1, "x", null] }, { b: [1, "x", null], a: 1n }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [[1], { 0: 1 }, false],
  [{ a: undefined }, { b: undefined }, false],
  [null, {}, false],
  [1n, 2n, false],
])("%o and %o say the same: %s", (a, b, same) => {
  expect(sameValue(a, b)).toBe(same);
  expect(sameValue(b, a)).toBe(same);
});

import { describe, expect, it } from "vitest";
import { fillMaglev, type MaglevBackend } from "./maglev.ts";

const KEY = { k0: 0x01234567, k1: 0x89abcdef };
const SIZE = 16381;

function backends(count: number, weight: (index: number) => number = () => 1): MaglevBackend[] {
  return Array.from({ length: count }, (_, index) => ({
    address: { family: 4, value: BigInt(0x0a000001 + index) },
    port: 8080,
    weight: weight(index),
  }));
}

/** Table as addresses, so that tables over different lists compare. */
function table(members: readonly MaglevBackend[], key = KEY): number[] {
  const slots = new Uint16Array(SIZE);
  expect(fillMaglev(slots, members, key)).toBe(true);
  return Array.from(slots, (index) => Number(members[index]!.address.value));
}

function shares(slots: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const address of slots) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
}

describe("a Maglev table", () => {
  it.each([1, 3, 10, 100])("spreads slots over %i backends almost evenly", (count) => {
    const counts = [...shares(table(backends(count))).values()];
    expect(counts).toHaveLength(count);
    expect(Math.max(...counts) / (SIZE / count)).toBeLessThan(1.02);
  });

  it("follows the weights", () => {
    const counts = [...shares(table(backends(3, (index) => [1, 2, 5][index]!))).values()].sort((a, b) => a - b);
    expect(counts.map((count) => Math.round((count / SIZE) * 1000) / 10)).toEqual([12.5, 25, 62.5]);
  });

  it("is the same whatever order the backends come in", () => {
    const members = backends(7);
    expect(table(members.toReversed())).toEqual(table(members));
  });

  it.each([
    [3, 0.0008],
    [10, 0.0126],
    [100, 0.028],
  ])("moves hardly a slot among %i backends when one leaves", (count, limit) => {
    const before = table(backends(count));
    const removed = before[0]!;
    const after = table(backends(count).filter(({ address }) => Number(address.value) !== removed));
    const survivors = before.filter((address) => address !== removed).length;
    const moved = before.filter((address, slot) => address !== removed && after[slot] !== address).length;
    // Twice the share that the paper's algorithm moves with tables of this size.
    expect(moved / survivors).toBeLessThan(limit);
  });

  it("depends on the key, so that nobody outside can foretell it", () => {
    const members = backends(10);
    const other = table(members, { k0: 5, k1: 6 });
    const same = table(members).filter((address, slot) => other[slot] === address).length;
    expect(same / SIZE).toBeLessThan(0.2);
  });

  it("gives no slot to a backend of weight 0, and says so when none has weight", () => {
    expect(shares(table(backends(3, (index) => (index === 1 ? 0 : 1)))).size).toBe(2);
    expect(
      fillMaglev(
        new Uint16Array(SIZE),
        backends(2, () => 0),
        KEY,
      ),
    ).toBe(false);
  });
});

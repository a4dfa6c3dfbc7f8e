import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IpAddress } from "../net/ip-address.ts";
import { storeAddress } from "../wire/raw.ts";
import { flowHash6, type HashKey } from "./flow-hash.ts";
import { KEY_SOURCE, newFlowKey } from "./flow-key.ts";
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

/** A backend's preferences by the hashes of its address that the paper calls offset and skip. */
function permutation(address: IpAddress, size: number, key: HashKey): number[] {
  const words = newFlowKey();
  storeAddress(words, KEY_SOURCE, address);
  const hash = (domain: number) => flowHash6(key.k0, key.k1, words, 0, domain) >>> 0;
  const offset = hash(254) % size;
  const skip = (hash(255) % (size - 1)) + 1;
  return Array.from({ length: size }, (_, turn) => (offset + turn * skip) % size);
}

/**
 * The slow twin: each backend's whole permutation of the slots, as the paper writes it down, and turns counted in whole
 * numbers.
 */
function twin(members: readonly { permutation: readonly number[]; weight: number }[]): number[] {
  const size = members[0]!.permutation.length;
  const heaviest = Math.max(...members.map(({ weight }) => weight));
  const slots = new Array<number>(size).fill(-1);
  const credit = members.map(() => 0);
  let filled = 0;
  while (filled < size) {
    members.forEach(({ permutation, weight }, index) => {
      credit[index]! += weight;
      if (credit[index]! < heaviest || filled === size) return;
      credit[index]! -= heaviest;
      slots[permutation.find((slot) => slots[slot] === -1)!] = index;
      filled++;
    });
  }
  return slots;
}

describe("a Maglev table", () => {
  it("is what the paper's algorithm fills, for any backends and weights", () => {
    const SMALL = 251;
    const weights = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(weights, fc.integer(), (list, k0) => {
        const key = { k0, k1: 9 };
        const members = backends(list.length, (index) => list[index]!);
        const slots = new Uint16Array(SMALL);
        if (list.every((weight) => weight === 0)) {
          expect(fillMaglev(slots, members, key)).toBe(false);
          return;
        }
        fillMaglev(slots, members, key);
        const serving = members.map((member, index) => ({ member, index })).filter(({ member }) => member.weight > 0);
        const permuted = serving.map(({ member }) => ({
          permutation: permutation(member.address, SMALL, key),
          weight: member.weight,
        }));
        expect(Array.from(slots)).toEqual(twin(permuted).map((place) => serving[place]!.index));
      }),
      { numRuns: 60 },
    );
  });

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

import { expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { fillMaglev } from "./maglev.ts";
import { type MaglevColumns, MaglevMemory, maglevEntry } from "./maglev-memory.ts";

const KEY = { k0: 1, k1: 2 };
const backends = (...addresses: string[]) =>
  addresses.map((text) => ({ address: parseIpAddress(text)!, port: 80, weight: 1 }));

/** One epoch with these sets of backends; gives their places. */
function epoch(memory: MaglevMemory, ...sets: readonly ReturnType<typeof backends>[]): [number[], MaglevColumns] {
  memory.begin(251);
  const places = sets.map((members) => memory.place(MaglevMemory.nameOf(members), members));
  return [places, memory.end()];
}

function entries(columns: MaglevColumns, place: number): number[] {
  return Array.from({ length: 251 }, (_, hash) => maglevEntry(columns, place, hash));
}

test("a table is the same whether it was remembered or not, and another one when its backends are", () => {
  const memory = new MaglevMemory(KEY);
  for (const members of [
    backends("10.0.0.1", "10.0.0.2"),
    backends("10.0.0.1", "10.0.0.2"),
    backends("10.0.0.1", "10.0.0.3"),
    backends("10.0.0.2", "10.0.0.1"),
  ]) {
    const expected = new Uint16Array(251);
    fillMaglev(expected, members, KEY);
    const [[place], columns] = epoch(memory, members);
    expect(entries(columns, place!)).toEqual([...expected]);
  }
});

test("equal sets share a table, and a table stays where it is while others come and go", () => {
  const memory = new MaglevMemory(KEY);
  const stays = backends("10.0.0.1", "10.0.0.2");
  const [[one, two]] = epoch(memory, stays, [...stays]);
  expect(one).toBe(two);
  for (let index = 3; index < 20; index++) {
    const [[other, same]] = epoch(memory, backends("10.0.0.1", `10.0.0.${index}`), stays);
    expect(same).toBe(one);
    expect(other).not.toBe(one);
  }
});

test("a table that the epoch before looked at is not overwritten by the next, and memory does not grow", () => {
  const memory = new MaglevMemory(KEY);
  let [[before], columns] = epoch(memory, backends("10.0.0.1", "10.0.0.2"));
  const places = new Set<number>();
  for (let index = 3; index < 250; index++) {
    const seen = entries(columns, before!);
    const [[place], next] = epoch(memory, backends("10.0.0.1", `10.0.0.${index}`));
    expect(entries(columns, before!)).toEqual(seen);
    places.add(place!);
    [before, columns] = [place, next];
  }
  expect(places.size).toBeLessThanOrEqual(4);
});

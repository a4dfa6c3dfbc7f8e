import { expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { fillMaglev } from "./maglev.ts";
import { MaglevMemory } from "./maglev-memory.ts";

const KEY = { k0: 1, k1: 2 };
const backends = (...addresses: string[]) =>
  addresses.map((text) => ({ address: parseIpAddress(text)!, port: 80, weight: 1 }));

test("a table is the same whether it was remembered or not, and another one when its backends are", () => {
  const memory = new MaglevMemory();
  for (const members of [
    backends("10.0.0.1", "10.0.0.2"),
    backends("10.0.0.1", "10.0.0.2"),
    backends("10.0.0.1", "10.0.0.3"),
    backends("10.0.0.2", "10.0.0.1"),
  ]) {
    const [expected, table] = [new Uint16Array(251), new Uint16Array(251)];
    fillMaglev(expected, members, KEY);
    memory.fill(table, members, KEY);
    memory.endEpoch();
    expect(table).toEqual(expected);
  }
});

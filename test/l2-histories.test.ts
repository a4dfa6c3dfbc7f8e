/**
 * The agreement on owners against thousands of random histories: kills, restarts, stopped processes, partitions, one-way
 * cuts, losses, flapping nodes, links that come and go, all with skewed clocks. SLUICE_LONG=1 plays 10,000.
 */
import { describe, expect, test } from "vitest";
import { playL2History } from "./fixtures/l2-history.ts";

const HISTORIES = process.env["SLUICE_LONG"] ? 10_000 : 300;

describe("the agreement on owners", () => {
  test(`holds in ${HISTORIES} random histories`, { timeout: 3_600_000 }, () => {
    expect(() => {
      for (let seed = 1; seed <= HISTORIES; seed++) playL2History(seed);
    }).not.toThrow();
  });
});

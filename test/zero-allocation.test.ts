/** The hot path allocates nothing: no garbage collection happens while millions of frames go through the pipeline. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const TURNS = 60_000;
const DSR_TURNS = 4_000;

const RUNS = 3;

/**
 * The fewest of some runs: the runtime's own compiler may end its work inside one measurement and allocate once; a frame
 * that allocates does so in every run.
 */
function collections(fixture: string, turns: number, ...more: string[]): number {
  let fewest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS && fewest > 0; run++) fewest = Math.min(fewest, collectionsOnce(fixture, turns, more));
  return fewest;
}

/** With a young generation of one megabyte, a third of a byte per frame would show. */
function collectionsOnce(fixture: string, turns: number, more: readonly string[]): number {
  const script = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url));
  const output = execFileSync(
    process.execPath,
    ["--trace-gc", "--max-semi-space-size=1", script, String(turns), ...more],
    {
      encoding: "utf8",
    },
  );
  const measured = output.slice(output.indexOf("measure\n"), output.indexOf("done\n"));
  return measured.match(/Scavenge|Mark-Compact|Minor/g)?.length ?? 0;
}

it("three million frames of all kinds, new flows among them, cause no garbage collection", { timeout: 60_000 }, () => {
  expect(collections("mixed-traffic.ts", TURNS)).toBe(0);
});

it("asking three policies about each new flow causes none either", { timeout: 60_000 }, () => {
  expect(collections("mixed-traffic.ts", TURNS / 4, "policies")).toBe(0);
});

it("four hundred thousand frames in DSR modes, new flows among them, cause none either", { timeout: 60_000 }, () => {
  expect(collections("dsr-traffic.ts", DSR_TURNS)).toBe(0);
});

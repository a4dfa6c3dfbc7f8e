/** The hot path allocates nothing: no garbage collection happens while millions of frames go through the pipeline. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("fixtures/mixed-traffic.ts", import.meta.url));
const TURNS = 60_000;

/** With a young generation of one megabyte, a third of a byte per frame would show. */
function collections(turns: number): number {
  const output = execFileSync(process.execPath, ["--trace-gc", "--max-semi-space-size=1", SCRIPT, String(turns)], {
    encoding: "utf8",
  });
  const measured = output.slice(output.indexOf("measure\n"), output.indexOf("done\n"));
  return measured.match(/Scavenge|Mark-Compact|Minor/g)?.length ?? 0;
}

it("three million frames of all kinds, new flows among them, cause no garbage collection", { timeout: 60_000 }, () => {
  expect(collections(TURNS)).toBe(0);
});

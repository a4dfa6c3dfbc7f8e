/**
 * `npm run bench -- micro`: nanoseconds of each stage of the pipeline by itself, by benchmark.js. For whoever changes one
 * of them; what a packet costs as a whole says bench/pipeline.ts.
 *
 *   SLUICE_BENCH_SECONDS=2    of each stage
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../scripts/bundle.ts";
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { median, saveResults } from "./results.ts";

interface Stage {
  readonly name: string;
  readonly nanoseconds: readonly number[];
}

/** As bin/sluice starts the program. */
const RUNTIME_FLAGS = ["--max-inlined-bytecode-size=3000", "--max-inlined-bytecode-size-cumulative=6000"];
/** Longer stages would make the others' bars too short to see. */
const PICTURED_NANOSECONDS = 1_000;

const { seconds } = benchSettings({ rounds: 1, seconds: 2 });
// Beside the packages, which a bundle finds by its own place.
const folder = mkdtempSync(join(import.meta.dirname, "..", "dist", "bench-"));
let stages: Stage[];
try {
  await bundle({ run: join(import.meta.dirname, "micro/run.ts") }, folder);
  stages = measure(join(folder, "run.js"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log("median (min to max) of benchmark.js's samples, ns");
for (const { name, nanoseconds } of stages) {
  const spread = `(${Math.min(...nanoseconds).toFixed(1)} to ${Math.max(...nanoseconds).toFixed(1)}, ${nanoseconds.length} samples)`;
  console.log(`  ${name.padEnd(48)} ${median(nanoseconds).toFixed(1).padStart(10)}  ${spread}`);
}
const rows = stages.map(({ name: what, nanoseconds: values }) => ({ what, metric: "cost", unit: "ns", values }));
saveResults("micro", rows, {});
drawPicture("micro", {
  title: "Stages of the pipeline",
  unit: "ns",
  bars: stages
    .filter(({ nanoseconds }) => median(nanoseconds) < PICTURED_NANOSECONDS)
    .map(({ name, nanoseconds }) => bar(name, nanoseconds, true)),
});

/** Bundled as the product is: imported constants would otherwise be loaded each time. */
function measure(script: string): Stage[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...RUNTIME_FLAGS, script, `${seconds}`], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the benchmark has failed: ${stderr}`);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Stage);
}

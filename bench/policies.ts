/**
 * `npm run bench -- policies`: nanoseconds per packet of new and of established flows, asking no policy and three, and
 * the garbage collections meanwhile. Both in turn, each in a process of its own; ratios are taken within each pair.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../scripts/bundle.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

const PAIRS = 5;
const PACKETS = 4_000_000;
const RUNTIME_FLAGS = ["--max-inlined-bytecode-size=3000", "--max-inlined-bytecode-size-cumulative=6000", "--trace-gc"];

const folder = mkdtempSync(join(import.meta.dirname, "..", "build", "bench-policies-"));
try {
  const source = (path: string) => join(import.meta.dirname, path);
  await bundle({ run: source("policies/run.ts"), policy: source("../src/policy/define-policy.ts") }, folder);
  measureAll(join(folder, "run.js"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measureAll(script: string): void {
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  let collections = 0;
  console.log(`${PAIRS} pairs of ${PACKETS / 1e6}M packets, ns per packet, median`);
  console.log("packets of          no policy   three policies   rate with three / with none");
  for (const what of ["new", "established"] as const) {
    const none: number[] = [];
    const three: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      none.push(measure(script, what, "none").nanoseconds);
      const asked = measure(script, what, "three");
      three.push(asked.nanoseconds);
      collections += asked.collections;
    }
    const ratio = median(none.map((value, pair) => value / three[pair]!));
    ratios[`${what}-3/0`] = ratio;
    rows.push({ what: `${what}, no policy`, metric: "cost", unit: "ns/packet", values: none });
    rows.push({ what: `${what}, three policies`, metric: "cost", unit: "ns/packet", values: three });
    console.log(
      `${`${what} flows`.padEnd(20)}${median(none).toFixed(0).padStart(8)}${median(three).toFixed(0).padStart(17)}${ratio.toFixed(2).padStart(20)}`,
    );
  }
  ratios["collections"] = collections;
  console.log(`garbage collections while asking: ${collections}`);
  saveResults("policies", rows, ratios);
}

function measure(script: string, what: string, which: string): { nanoseconds: number; collections: number } {
  const args = [...RUNTIME_FLAGS, script, what, which, String(PACKETS)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`bench/policies/run.ts failed: ${stderr}`);
  const { nanoseconds } = JSON.parse(/^\{.*\}$/m.exec(stdout)![0]) as { nanoseconds: number };
  const measured = stdout.slice(stdout.indexOf("measure\n"), stdout.indexOf("done\n"));
  return { nanoseconds, collections: measured.match(/Scavenge|Mark-Compact/g)?.length ?? 0 };
}

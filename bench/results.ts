/** Results of a benchmark as a file: `bench/results/NAME.json`, the same form for all of them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

export interface ResultRow {
  readonly what: string;
  readonly metric: string;
  readonly unit: string;
  readonly values: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** @param ratios by key, each within pairs of one run. */
export function saveResults(name: string, rows: readonly ResultRow[], ratios: Readonly<Record<string, number>>): void {
  const results = {
    name,
    machine: machine(),
    kernel: release(),
    commit: commit(),
    rows: rows.map(({ what, metric, unit, values }) => ({
      what,
      metric,
      unit,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      n: values.length,
    })),
    ratios,
  };
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`machine: ${results.machine}; kernel ${results.kernel}; written to bench/results/${name}.json`);
}

function machine(): string {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const model = /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? "unknown processor";
  return `${model}, ${info.match(/^processor/gm)?.length ?? 0} cores`;
}

/** `unknown` outside of a checkout. */
function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname }).trim();
  } catch {
    return "unknown";
  }
}

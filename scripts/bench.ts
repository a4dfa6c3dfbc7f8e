/**
 * `npm run bench [-- NAME...]`: builds, then runs the benchmarks of bench/, all or those named. Each prints its table
 * and writes bench/results/NAME.json; this file only starts them, one after another and each in a fresh process.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.ts";

const BENCH = join(import.meta.dirname, "..", "bench");

function available(): string[] {
  return readdirSync(BENCH, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .filter((entry) => entry.name !== "results.ts")
    .map((entry) => entry.name.slice(0, -".ts".length))
    .sort();
}

async function main(args: string[]): Promise<void> {
  const names = available();
  const unknown = args.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no benchmark "${unknown}"; there are ${names.join(", ")}`);
  await build();
  for (const name of args.length > 0 ? args : names) {
    const { status } = spawnSync(process.execPath, ["--expose-gc", join(BENCH, `${name}.ts`)], { stdio: "inherit" });
    if (status !== 0) throw new Error(`bench/${name}.ts failed`);
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = 1;
});

/**
 * `npm test [-- SUITE... [FILE]]`: builds, runs each suite by itself, and adds up.
 *
 * Each suite is one vitest run with a JSON report beside the progress on the console. What was skipped is named with
 * its reason; a suite that ran no test counts as a failure, as does a run that ended badly without a failed test (an
 * unhandled error, a file that could not be loaded). The last line is the sum, alone.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.ts";

const ROOT = join(import.meta.dirname, "..");
const SUITES = ["unit", "native", "netns", "interop"];
/** Suites that need the kernel: namespaces, BPF programs, raw sockets. */
const NEEDS_ROOT = ["native", "netns", "interop"];

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly meta?: { readonly skipReason?: string };
    }[];
  }[];
}

interface Sum {
  readonly suite: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly seconds: number;
}

async function runSuite(suite: string, filters: readonly string[], reportFile: string): Promise<Sum> {
  const startedAt = performance.now();
  const args = ["run", "--project", suite, "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const exitCode = await vitest([...args, ...filters]);
  const seconds = (performance.now() - startedAt) / 1000;
  const files = readReport(reportFile).testResults;
  const tests = files.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === "passed").length;
  const skipped = tests
    .filter((test) => test.status !== "passed" && test.status !== "failed")
    .map((test) => `${test.fullName}: ${test.meta?.skipReason ?? "no reason given"}`);
  const brokenFiles = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  let failed = tests.filter((test) => test.status === "failed").length + brokenFiles;
  if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1;
  return { suite, passed, failed, skipped, seconds };
}

/** The report of a run that died before writing one is empty, which counts as a failure. */
function readReport(file: string): Report {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return { testResults: [] };
  }
}

function vitest(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", ...args], { cwd: ROOT, stdio: "inherit" });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, forward);
    child.on("error", reject);
    child.on("exit", (code) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, forward);
      resolve(code ?? 1);
    });
  });
}

function print(sums: readonly Sum[]): void {
  process.stdout.write("\n");
  for (const { suite, passed, failed, skipped, seconds } of sums) {
    const counts = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
    process.stdout.write(`${suite.padEnd(8)} ${counts}  (${seconds.toFixed(1)} s)\n`);
    for (const skip of skipped) process.stdout.write(`         skipped: ${skip}\n`);
  }
  const total = (count: (sum: Sum) => number) => sums.reduce((all, sum) => all + count(sum), 0);
  const [passed, failed] = [total((sum) => sum.passed), total((sum) => sum.failed)];
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${total((sum) => sum.skipped.length)} skipped\n`);
  if (failed > 0) process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
  const named = args.filter((arg) => SUITES.includes(arg));
  const filters = args.filter((arg) => !SUITES.includes(arg));
  if (named.length === 0 && filters.length > 0) {
    throw new Error(`there is no suite "${filters[0]}"; suites are ${SUITES.join(", ")}`);
  }
  const suites = named.length > 0 ? named : SUITES;
  const privileged = suites.filter((suite) => NEEDS_ROOT.includes(suite));
  if (privileged.length > 0 && process.getuid?.() !== 0) {
    throw new Error(`the suites ${privileged.join(", ")} make network namespaces and need root; unit does not`);
  }
  build();
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  try {
    const sums: Sum[] = [];
    for (const suite of suites) {
      process.stdout.write(`\n== ${suite}\n`);
      sums.push(await runSuite(suite, filters, join(folder, `${suite}.json`)));
    }
    print(sums);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`test: ${error.message}\n`);
  process.exitCode = 1;
});

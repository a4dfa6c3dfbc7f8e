/**
 * `npm test [-- SUITE... [FILE]]`: builds, runs each suite by itself, and adds up.
 *
 * Each suite is one vitest run. What failed or was skipped is named with its reason at the end; a suite that ran no test
 * counts as a failure, and so does one that broke outside a test. The last line is the sum, alone.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.ts";
import type { SuiteOutcome } from "./suite-reporter.ts";

const ROOT = join(import.meta.dirname, "..");
const SUITES = ["unit", "native", "netns", "interop", "kubernetes", "labs"];
/** Suites that need programs which Go builds for some minutes, once: that goes on while the suites before them run. */
const NEEDS_GO = ["kubernetes", "labs"];
/** Suites that need the kernel: namespaces, BPF programs, raw sockets. */
const NEEDS_ROOT = ["native", "netns", "interop", "kubernetes", "labs"];

interface SuiteSum extends SuiteOutcome {
  readonly suite: string;
  readonly seconds: number;
}

async function runSuite(suite: string, filters: readonly string[], outcomeFile: string): Promise<SuiteSum> {
  const startedAt = performance.now();
  const args = ["run", "--project", suite, "--reporter=default", "--reporter=./scripts/suite-reporter.ts", ...filters];
  const exitCode = await vitest(args, outcomeFile);
  const seconds = (performance.now() - startedAt) / 1000;
  const outcome = readOutcome(outcomeFile);
  const broken = [...outcome.broken];
  if (outcome.passed + outcome.failed.length === 0) broken.push("no test ran");
  else if (exitCode !== 0 && outcome.failed.length + broken.length === 0) {
    broken.push(`vitest ended with code ${exitCode}`);
  }
  return { ...outcome, broken, suite, seconds };
}

/** A run that died before it could report has no file: nothing ran, which counts as a failure. */
function readOutcome(file: string): SuiteOutcome {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as SuiteOutcome;
  } catch {
    return { passed: 0, failed: [], skipped: [], broken: [] };
  }
}

function vitest(args: readonly string[], outcomeFile: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", ...args], {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, SLUICE_SUITE_OUTCOME: outcomeFile },
    });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, forward);
    child.on("error", reject);
    child.on("exit", (code) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, forward);
      resolve(code ?? 1);
    });
  });
}

/** Resolves when they are there, or could not be built: the suite that needs them will say so. */
function buildGoPrograms(interruption: AbortSignal): Promise<void> {
  const words = ["-n", "19", process.execPath, "scripts/kube-testserver.ts"];
  // A group of its own, for Go's compilers to end with it.
  const child = spawn("nice", words, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"], detached: true });
  const end = () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  interruption.addEventListener("abort", end);
  return new Promise((resolve) => {
    const done = () => {
      interruption.removeEventListener("abort", end);
      resolve();
    };
    child.on("error", done);
    child.on("exit", done);
  });
}

function print(sums: readonly SuiteSum[]): void {
  process.stdout.write("\n");
  for (const { suite, passed, failed, skipped, broken, seconds } of sums) {
    const counts = `${passed} passed, ${failed.length + broken.length} failed, ${skipped.length} skipped`;
    process.stdout.write(`${suite.padEnd(8)} ${counts}  (${seconds.toFixed(1)} s)\n`);
    for (const line of failed) process.stdout.write(`         failed: ${line}\n`);
    for (const line of broken) process.stdout.write(`         broken: ${line}\n`);
    for (const line of skipped) process.stdout.write(`         skipped: ${line}\n`);
  }
  const total = (count: (sum: SuiteSum) => number) => sums.reduce((all, sum) => all + count(sum), 0);
  const failed = total((sum) => sum.failed.length + sum.broken.length);
  const skipped = total((sum) => sum.skipped.length);
  process.stdout.write(`\n${total((sum) => sum.passed)} passed, ${failed} failed, ${skipped} skipped\n`);
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
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());
  await build();
  const goPrograms = suites.some((suite) => NEEDS_GO.includes(suite))
    ? buildGoPrograms(interruption.signal)
    : Promise.resolve();
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  try {
    const sums: SuiteSum[] = [];
    for (const suite of suites) {
      if (NEEDS_GO.includes(suite)) await goPrograms;
      if (interruption.signal.aborted) throw new Error("interrupted");
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

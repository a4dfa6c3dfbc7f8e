/**
 * `npm run build`: the native addon and the BPF programs into build/, the program into dist/program/: one file for the
 * main thread, one for the speaker in a process of its own, and one for each kind of thread; and the status page.
 *
 * Each half is skipped when nothing it is made of is newer than its result. The compiler writes into a folder of its
 * own that then replaces dist/ in one rename, so a failed build leaves the last good one in place.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, bundlePage } from "./bundle.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const STAMP = ".built";
/** What says how it is built. */
const MADE_BY = ["package-lock.json", "tsconfig.json", "tsconfig.build.json", "scripts/build.ts", "scripts/bundle.ts"];
/** The threads find each other's files by these names, beside their own. */
const PROGRAM = {
  main: join(ROOT, "src/main.ts"),
  "speaker-main": join(ROOT, "src/speaker-main.ts"),
  "datapath-worker": join(ROOT, "src/worker/datapath-worker.ts"),
  "speaker-thread": join(ROOT, "src/speaker/speaker-thread.ts"),
  "announcer-thread": join(ROOT, "src/announcer/announcer-thread.ts"),
  "bfd-thread": join(ROOT, "src/speaker/bfd-thread.ts"),
  "control-hooks-thread": join(ROOT, "src/policy-host/control-hooks-thread.ts"),
  "plan-trial-thread": join(ROOT, "src/agent/plan-trial-thread.ts"),
  "try-policy-thread": join(ROOT, "src/policy-host/try-policy-thread.ts"),
  // What policy modules import as sluice/policy.
  policy: join(ROOT, "src/policy/define-policy.ts"),
};

/** Builds what is out of date; throws with one sentence when a compiler refuses. */
export async function build(): Promise<void> {
  run("the native build", "scripts/build-native.sh", []);
  if (isUpToDate()) return;
  process.stderr.write("build: src -> dist\n");
  const fresh = join(ROOT, `dist.${process.pid}`);
  const startedAt = new Date();
  try {
    run("the TypeScript compiler", process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
    run("the TypeScript compiler", process.execPath, ["node_modules/typescript/bin/tsc", "-p", "page"]);
    await bundle(PROGRAM, join(fresh, "program"));
    await bundlePage(join(fresh, "program", "page"));
    // A file saved while the compiler ran is newer than the stamp: the next run builds it.
    writeFileSync(join(fresh, STAMP), "");
    utimesSync(join(fresh, STAMP), startedAt, startedAt);
    rmSync(DIST, { recursive: true, force: true });
    renameSync(fresh, DIST);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function isUpToDate(): boolean {
  const stamp = join(DIST, STAMP);
  if (!existsSync(stamp)) return false;
  const builtAt = statSync(stamp).mtimeMs;
  const inputs = ["src", "page"]
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
    .map((entry) => join(entry.parentPath, entry.name))
    .concat(MADE_BY.map((name) => join(ROOT, name)));
  return inputs.every((path) => statSync(path).mtimeMs < builtAt);
}

/** `what` is the step's name in the sentence that a failure gives; the compiler's own words stand above it. */
function run(what: string, command: string, args: string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit" });
  if (error !== undefined) throw new Error(`${what} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${what} failed`);
}

if (import.meta.main) {
  try {
    await build();
  } catch (error) {
    process.stderr.write(`build: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

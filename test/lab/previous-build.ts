/**
 * The program as it was before the last change to it, built from the history of this tree into a folder of its own: what
 * an upgrade comes from and a downgrade goes to.
 *
 * Commits that changed nothing of what is built are passed over, so both programs are never the same one by accident.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
/** What the program is made of. */
const SOURCES = ["src", "native", "page", "bin", "package-lock.json"];
const NATIVE = ["native", "scripts/build-native.sh"];

/** The commit of the program before this one; `null` where the tree has no history that goes so far back. */
export function previousCommit(): string | null {
  const { status, stdout } = git("rev-list", "--first-parent", "--max-count=200", "HEAD");
  if (status !== 0) return null;
  const differs = (commit: string) => git("diff", "--quiet", commit, "--", ...SOURCES).status === 1;
  return stdout.split("\n").filter(Boolean).find(differs) ?? null;
}

/** Builds a commit's program in `folder`; the path of its `sluice`. Takes half a minute, longer where native code differs. */
export function buildCommit(commit: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  run("sh", ["-euc", 'git -C "$1" archive "$2" | tar -x -C "$3"', "sh", ROOT, commit, folder], ROOT);
  const samePackages = git("diff", "--quiet", commit, "--", "package-lock.json").status === 0;
  if (samePackages) symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  else run("npm", ["install", "--no-save", "--no-audit", "--no-fund"], folder);
  const sameNative = git("diff", "--quiet", commit, "--", ...NATIVE).status === 0;
  if (sameNative) cpSync(join(ROOT, "build"), join(folder, "build"), { recursive: true, preserveTimestamps: false });
  run(process.execPath, ["scripts/build.ts"], folder);
  return join(folder, "bin/sluice");
}

function git(...words: string[]): { status: number | null; stdout: string } {
  return spawnSync("git", ["-C", ROOT, ...words], { encoding: "utf8" });
}

function run(program: string, words: readonly string[], folder: string): void {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: "utf8", timeout: 400_000 });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} ended with ${status}: ${(stderr || stdout).trim()}`);
}

/**
 * The API server of the tests and its kubectl (test/kube-testserver), built once per source and Go version. The build takes
 * minutes, so the binaries outlive the tree: they are kept in the user's cache folder, under a key of all that goes in.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const SOURCE = join(import.meta.dirname, "../test/kube-testserver");
const INPUTS = ["main.go", "go.mod", "go.sum", "kubectl/main.go", "kubectl/go.mod", "kubectl/go.sum"];
const VERSION_PACKAGE = "k8s.io/component-base/version";
/** Without these the server says that it is of version "v0.0.0-master+$Format:%H$", and clients stumble over it. */
const VERSION = { gitVersion: "v1.36.3", gitMajor: "1", gitMinor: "36", gitTreeState: "clean" };

export interface KubeBinaries {
  readonly server: string;
  readonly kubectl: string;
}

export function kubeBinaries(): KubeBinaries {
  const goVersion = go(["env", "GOVERSION"]).trim();
  const hash = createHash("sha256").update(goVersion);
  for (const input of INPUTS) hash.update(input).update(readFileSync(join(SOURCE, input)));
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(cache, "sluice", `kube-testserver-${hash.digest("hex").slice(0, 16)}`);
  mkdirSync(folder, { recursive: true });
  const binaries = { server: join(folder, "kube-testserver"), kubectl: join(folder, "kubectl") };
  buildOnce(SOURCE, binaries.server);
  buildOnce(join(SOURCE, "kubectl"), binaries.kubectl);
  return binaries;
}

function buildOnce(source: string, output: string): void {
  if (existsSync(output)) return;
  process.stderr.write(`building ${output} (some minutes, once)\n`);
  const flags = Object.entries(VERSION).map(([name, value]) => `-X ${VERSION_PACKAGE}.${name}=${value}`);
  const beside = `${output}.${process.pid}`;
  go(["build", "-p", "2", "-trimpath", "-ldflags", ["-s", "-w", ...flags].join(" "), "-o", beside, "."], source);
  renameSync(beside, output);
}

function go(args: readonly string[], cwd = SOURCE): string {
  try {
    return execFileSync("go", args, { cwd, encoding: "utf8", env: { ...process.env, CGO_ENABLED: "0" } });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error("the kubernetes suite needs Go 1.26 or newer to build its API server (https://go.dev/dl)");
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(kubeBinaries())}\n`);

/**
 * The API server of the tests and its kubectl (test/kube-testserver), built once per source and Go version. The build takes
 * minutes, so the binaries outlive the tree: they are kept in the user's cache folder, under a key of all that goes in.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const SOURCE = join(import.meta.dirname, "../test/kube-testserver");
const INPUTS = ["main.go", "go.mod", "go.sum", "kubectl/main.go", "kubectl/go.mod", "kubectl/go.sum"];
const VERSION_PACKAGE = "k8s.io/component-base/version";
/** Without these the server says that it is of version "v0.0.0-master+$Format:%H$", and clients stumble over it. */
const VERSION = { gitVersion: "v1.36.3", gitMajor: "1", gitMinor: "36", gitTreeState: "clean" };

const HELM_VERSION = "v3.22.0";

/** What the server's go.mod asks for. */
const OLDEST_GO_MINOR = 26;
const TOOLCHAIN = "go1.26.0";

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

/** Helm, of which Debian has no package; its checksums are those of Go's own database. */
export function helmBinary(): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(cache, "sluice", `helm-${HELM_VERSION}`);
  const binary = join(folder, "helm");
  if (existsSync(binary)) return binary;
  process.stderr.write(`building ${binary} (some minutes, once)\n`);
  const beside = join(folder, `building-${process.pid}`);
  mkdirSync(beside, { recursive: true });
  const flags = ["-p", "2", "-trimpath", "-ldflags", "-s -w"];
  go(["install", ...flags, `helm.sh/helm/v3/cmd/helm@${HELM_VERSION}`], tmpdir(), { GOBIN: beside });
  renameSync(join(beside, "helm"), binary);
  rmdirSync(beside);
  return binary;
}

function buildOnce(source: string, output: string): void {
  if (existsSync(output)) return;
  process.stderr.write(`building ${output} (some minutes, once)\n`);
  const flags = Object.entries(VERSION).map(([name, value]) => `-X ${VERSION_PACKAGE}.${name}=${value}`);
  const beside = `${output}.${process.pid}`;
  go(["build", "-p", "2", "-trimpath", "-ldflags", ["-s", "-w", ...flags].join(" "), "-o", beside, "."], source);
  renameSync(beside, output);
}

function go(args: readonly string[], cwd = SOURCE, env: Record<string, string> = {}): string {
  return execFileSync(newEnoughGo(), args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, CGO_ENABLED: "0", ...env },
  });
}

let found: string | null = null;

/**
 * A Go that can build the server. Where there is only an older one, as Debian 12 has, it fetches the newer toolchain from
 * the module proxy, which serves them as modules.
 */
function newEnoughGo(): string {
  found ??= ["go", "/usr/local/go/bin/go"].find((candidate) => isNewEnough(candidate)) ?? fetchToolchain();
  return found;
}

function isNewEnough(candidate: string): boolean {
  const version = /go1\.(\d+)/.exec(tryRun(candidate, ["env", "GOVERSION"]) ?? "");
  return version !== null && Number(version[1]) >= OLDEST_GO_MINOR;
}

function fetchToolchain(): string {
  const module = `golang.org/toolchain@v0.0.1-${TOOLCHAIN}.linux-${process.arch === "x64" ? "amd64" : process.arch}`;
  process.stderr.write(`fetching ${TOOLCHAIN}\n`);
  const answer = tryRun("go", ["mod", "download", "-json", module]);
  if (answer === null) {
    throw new Error(
      `the kubernetes suite needs Go 1.${OLDEST_GO_MINOR}, or an older one that can fetch it: apt-get install golang-go`,
    );
  }
  const program = join((JSON.parse(answer) as { Dir: string }).Dir, "bin/go");
  // A module's files are kept unexecutable; the go command of a newer Go mends that itself.
  for (const file of readdirSync(join(program, "../../pkg/tool"), { recursive: true, withFileTypes: true })) {
    if (file.isFile()) chmodSync(join(file.parentPath, file.name), 0o755);
  }
  chmodSync(program, 0o755);
  return program;
}

/** What a command prints; `null` when it is missing or fails. Outside of a module, whose go.mod an old Go can't read. */
function tryRun(command: string, args: readonly string[]): string | null {
  const { status, stdout } = spawnSync(command, args, { cwd: tmpdir(), encoding: "utf8" });
  return status === 0 ? stdout : null;
}

if (import.meta.main) process.stdout.write(`${JSON.stringify({ ...kubeBinaries(), helm: helmBinary() })}\n`);

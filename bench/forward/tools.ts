/** The programs that the benchmarks run, built for one run: from C, from BPF C, and bundled from TypeScript. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../../scripts/bundle.ts";

export interface Tools {
  /** The object of frames.bpf.c. */
  readonly object: string;
  readonly generator: string;
  readonly openFlows: string;
  readonly xsk: string;
  readonly l2fwd: string;
  remove(): void;
}

export async function buildTools(): Promise<Tools> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const source = (name: string) => join(import.meta.dirname, name);
  const out = (name: string) => join(folder, name);
  try {
    const multiarch = run(["gcc", "-print-multiarch"]).trim();
    run([
      "clang-14",
      "-target",
      "bpf",
      "-g",
      "-O2",
      "-mcpu=v3",
      `-I/usr/include/${multiarch}`,
      "-c",
      source("frames.bpf.c"),
      "-o",
      out("frames.bpf.o"),
    ]);
    const cc = (name: string, ...libraries: string[]) =>
      run(["cc", "-O2", "-D_GNU_SOURCE", "-o", out(name), source(`${name}.c`), ...libraries]);
    cc("generator", "-lbpf");
    cc("open-flows");
    cc("xsk", "-lxdp", "-lbpf");
    await bundle({ l2fwd: source("l2fwd.ts") }, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    object: out("frames.bpf.o"),
    generator: out("generator"),
    openFlows: out("open-flows"),
    xsk: out("xsk"),
    l2fwd: out("l2fwd.js"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function run([command, ...args]: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command!, args, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

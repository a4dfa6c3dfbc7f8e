/** The `xdp` benchmark's objects, compiled with the options of the product's own. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Compiles `NAME.bpf.c`. @returns the object's file, in `folder`. */
export function compile(name: "ours" | "lru", folder: string): string {
  const output = join(folder, `${name}.bpf.o`);
  const multiarch = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
  const include = [`-I/usr/include/${multiarch}`, `-I${join(import.meta.dirname, "../../native/bpf")}`];
  const source = join(import.meta.dirname, `${name}.bpf.c`);
  execFileSync("clang-14", ["-target", "bpf", "-g", "-O2", "-mcpu=v3", ...include, "-c", source, "-o", output]);
  return output;
}

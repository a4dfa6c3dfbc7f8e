/** Programs that the lab's own interfaces run, for what this kernel has no devices for: C of the folder `bpf`, by tc. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";

/** Where a program looks at an interface's frames; its section is named so. */
export type TrafficHook = "ingress" | "egress";

/** Compiles `bpf/NAME.bpf.c`. @returns the object's file. */
export function compileProgram(lab: Lab, name: string): string {
  const object = join(lab.folder, `${name}.bpf.o`);
  const headers = `-I/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const source = join(import.meta.dirname, "bpf", `${name}.bpf.c`);
  execFileSync("clang-14", ["-target", "bpf", "-O2", "-Wall", "-Werror", headers, "-c", source, "-o", object]);
  return object;
}

export function attachProgram(namespace: Namespace, device: string, object: string, ...hooks: TrafficHook[]): void {
  namespace.run(["tc", "qdisc", "add", "dev", device, "clsact"]);
  for (const hook of hooks) {
    namespace.run(["tc", "filter", "add", "dev", device, hook, "bpf", "da", "obj", object, "sec", hook]);
  }
}

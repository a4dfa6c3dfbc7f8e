/**
 * `sluice check`: what about this node's interfaces would break traffic, without starting anything. Exits with 1 while
 * something would.
 */
import { expectedMode, type XdpMode } from "../xdp/attach.ts";
import { checkOffloads } from "../xdp/offload-check.ts";

export interface CheckOptions {
  /** Uplinks and inside interfaces. */
  readonly interfaces: readonly string[];
  /** Those of them whose traffic is in a VLAN. */
  readonly tagged: readonly string[];
  readonly xdpMode: XdpMode | "auto";
  readonly repairOffloads: boolean;
  readonly output: "table" | "json";
}

export function runCheck(options: CheckOptions): { stdout: string; exitCode: number } {
  const ports = options.interfaces.map((name) => ({
    name,
    mode: expectedMode(name, options.xdpMode),
    tagged: options.tagged.includes(name),
  }));
  const report = checkOffloads(ports, options.repairOffloads);
  const exitCode = report.problems.some(({ severity }) => severity === "error") ? 1 : 0;
  if (options.output === "json") return { stdout: `${JSON.stringify(report, null, 2)}\n`, exitCode };
  const lines = [
    ...report.repaired.map(({ message }) => `repaired: ${message}`),
    ...report.problems.map(({ severity, message }) => `${severity}: ${message}`),
  ];
  if (exitCode === 0) lines.push(`nothing stands in the way on ${options.interfaces.join(", ")}`);
  return { stdout: `${lines.join("\n")}\n`, exitCode };
}

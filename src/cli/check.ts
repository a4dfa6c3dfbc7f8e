/**
 * `sluice check`: what about this node's interfaces would break traffic, without starting anything. Exits with 1 while
 * something would.
 */
import { expectedMode, type XdpMode } from "../xdp/attach.ts";
import { checkOffloads, type OffloadReport } from "../xdp/offload-check.ts";
import { wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

interface CheckOptions {
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
  return { stdout: checkAnswer(report, options), exitCode };
}

export function checkAnswer(
  report: OffloadReport,
  { interfaces, output }: Pick<CheckOptions, "interfaces" | "output">,
): string {
  if (output === "json") return `${JSON.stringify(report, null, 2)}\n`;
  const lines = [
    ...report.repaired.map(({ message }) => `repaired: ${message}`),
    ...report.problems.map(({ severity, message }) => `${severity}: ${message}`),
  ];
  const isFine = report.problems.every(({ severity }) => severity !== "error");
  if (isFine) lines.push(`nothing stands in the way on ${interfaces.join(", ")}`);
  return `${lines.flatMap((line) => wrapText(line, LINE_WIDTH)).join("\n")}\n`;
}

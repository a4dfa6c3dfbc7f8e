/** `sluice doctor`: what on this node stands in the way of a gateway, each with its fix. Exits with 1 while an error does. */
import { readNodeFacts } from "../agent/node-facts.ts";
import { type Finding, judgeNode } from "../agent/node-findings.ts";
import { ask } from "../api/client.ts";
import { expectedMode } from "../xdp/attach.ts";
import { findLink } from "../xdp/netlink.ts";
import { checkOffloads } from "../xdp/offload-check.ts";
import { wrapText } from "./text-table.ts";

interface DoctorOptions {
  readonly uplinks: readonly string[];
  readonly socket: string;
  readonly l2Port: number;
  readonly output: "json" | "table";
}

const LINE_WIDTH = 100;
const INDENT = "    ";

export async function runDoctor(options: DoctorOptions): Promise<{ stdout: string; exitCode: number }> {
  const isRunning = await ask(options.socket, "/v1/drain").then(
    () => true,
    () => false,
  );
  const findings = [
    ...judgeNode(readNodeFacts(options.uplinks, options.l2Port, isRunning)),
    ...offloads(options.uplinks),
  ];
  const exitCode = findings.some(({ severity }) => severity === "error") ? 1 : 0;
  return { stdout: doctorAnswer(findings, isRunning, options.output), exitCode };
}

export function doctorAnswer(findings: readonly Finding[], isRunning: boolean, output: "json" | "table"): string {
  if (output === "json") return `${JSON.stringify({ isRunning, findings }, null, 2)}\n`;
  const gateway = isRunning ? "A gateway runs here." : "No gateway runs here (or `--socket` is another one).";
  const lines = [
    gateway,
    ...findings.flatMap(({ severity, what, fix }) => [
      ...wrapText(`${severity}: ${what}`, LINE_WIDTH),
      ...wrapText(`fix: ${fix}`, LINE_WIDTH - INDENT.length).map((line) => INDENT + line),
    ]),
  ];
  if (findings.length === 0) lines.push("Nothing stands in the way.");
  return `${lines.join("\n")}\n`;
}

function offloads(uplinks: readonly string[]): Finding[] {
  const present = uplinks.filter((name) => findLink(name) !== null);
  const ports = present.map((name) => ({ name, mode: expectedMode(name, "auto"), tagged: false }));
  return checkOffloads(ports, false).problems.flatMap(({ severity, message, repair }): Finding[] =>
    severity === "note"
      ? []
      : [
          {
            severity: "error",
            what: message,
            fix: repair === null ? "use another interface" : "`sluice check --uplink INTERFACE --repair-offloads`",
          },
        ],
  );
}

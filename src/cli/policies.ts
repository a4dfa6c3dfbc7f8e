/** `sluice policies`: the policy modules of the running gateway, and what they have answered. */
import type { PolicyStatus } from "../agent/node-policies.ts";
import { textTable, wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

export function policiesTable(policies: readonly PolicyStatus[]): string {
  if (policies.length === 0) return "no policies are configured\n";
  const rows = policies.map(({ name, version, order, stats, problem }) => [
    name,
    version ?? "-",
    String(order),
    stats.off === 1 ? "switched off" : version !== null ? "in force" : problem === null ? "begins" : "not loaded",
    String(stats.asked),
    String(stats.denied),
    String(stats.backendChosen + stats.serviceChosen),
    String(stats.errors),
    stats.timed === 0 ? "" : `${(stats.nanoseconds / stats.timed / 1000).toFixed(1)} us`,
  ]);
  const table = textTable(
    ["POLICY", "VERSION", "ORDER", "STATE", "ASKED", "DENIED", "REDIRECTED", "ERRORS", "MEAN TIME"],
    rows,
    LINE_WIDTH,
  );
  const remarks = policies.flatMap(({ name, problem, lastError, reasons, asks }) => [
    ...(asks.synCookies ? [`${name} asks for SYN cookies`] : []),
    ...(asks.sourceLimit === 0 ? [] : [`${name} lets each source open ${asks.sourceLimit} flows a second`]),
    ...reasons.map((reason) => `${name} denies: ${reason}`),
    ...(lastError === null ? [] : [`${name} failed: ${lastError}`]),
    ...(problem === null ? [] : [`${name}: ${problem}`]),
  ]);
  return `${[...table, ...remarks.flatMap((remark) => wrapText(remark, LINE_WIDTH))].join("\n")}\n`;
}

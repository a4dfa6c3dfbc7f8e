/**
 * `sluice plan`: what would happen, without touching anything.
 *
 * Exit status 0; 1 when something given cannot be read or is not valid (the rest is still planned and printed); 2 when
 * `--against` shows that a live address, route or owner would move.
 */
import { loadManifests } from "../config/load-manifests.ts";
import type { LoadedManifests } from "../config/manifest-state.ts";
import { withHeldAddresses } from "../control/held-addresses.ts";
import { type Plan, plan } from "../control/plan.ts";
import { type PlanDifference, planDifference } from "../control/plan-difference.ts";
import { formatProblem, type Problem } from "../intent/problem.ts";
import { planTable } from "./plan-table.ts";

interface PlanOptions {
  readonly paths: readonly string[];
  readonly output: "json" | "table";
  /** Manifests of what is live now; empty compares with nothing. */
  readonly against: readonly string[];
}

interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runPlan({ paths, output, against }: PlanOptions): Promise<CommandResult> {
  const current = against.length === 0 ? null : await loadManifests(against);
  const wanted = await loadManifests(paths);
  const before = current === null ? null : plan(current.intent);
  const intent = before === null ? wanted.intent : withHeldAddresses(wanted.intent, before.services);
  const after = withProblems(plan(intent), wanted);
  const difference = before === null ? null : planDifference(before, after);
  const faults = [...(current?.problems ?? []), ...wanted.problems].filter(({ severity }) => severity !== "note");
  return {
    exitCode: exitCode(faults, difference),
    stdout: output === "json" ? planJson(after, difference) : planTable(after, difference),
    stderr: faults
      .filter(({ severity }) => severity === "error")
      .map((problem) => `${formatProblem(problem)}\n`)
      .join(""),
  };
}

/** A note is of no interest to those who asked what would happen. */
function withProblems(planned: Plan, { problems }: LoadedManifests): Plan {
  return { ...planned, problems: [...problems.filter(({ severity }) => severity !== "note"), ...planned.problems] };
}

function exitCode(faults: readonly Problem[], difference: PlanDifference | null): number {
  if (faults.some(({ severity }) => severity === "error")) return 1;
  return difference?.moves ? 2 : 0;
}

function planJson(planned: Plan, difference: PlanDifference | null): string {
  return `${JSON.stringify(difference === null ? planned : { ...planned, difference }, null, 2)}\n`;
}

/** Whether the configuration is good, as MetalLB's users read it: in `ConfigurationState`. */
import type { Problem } from "../intent/problem.ts";

export interface ConfigurationResult {
  readonly result: "Valid" | "Invalid";
  readonly errorSummary: string;
}

/** More than this nobody reads; the log has all. */
const SUMMARY_CHARACTERS = 1024;

export function configurationResult(problems: readonly Problem[]): ConfigurationResult {
  const errors = problems.filter(({ severity }) => severity === "error");
  const texts = errors.map(({ object, field, message }) => [object, field, message].filter(Boolean).join(": "));
  const summary = [...new Set(texts)].sort().join("; ");
  return {
    result: errors.length === 0 ? "Valid" : "Invalid",
    errorSummary: summary.length <= SUMMARY_CHARACTERS ? summary : `${summary.slice(0, SUMMARY_CHARACTERS - 1)}…`,
  };
}

/**
 * The vitest reporter that `npm test` adds up from: writes the outcome of one suite as JSON to the file named by
 * `SLUICE_SUITE_OUTCOME`. Vitest's own JSON report leaves out why a test was skipped, and the reasons are wanted.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export interface SuiteOutcome {
  readonly passed: number;
  /** One line per failed test: where it stands, and the first line of what went wrong. */
  readonly failed: readonly string[];
  /** One line per skipped test: its title, and the reason where it gave one. */
  readonly skipped: readonly string[];
  /** What went wrong outside any test: a file that could not be loaded, an error nobody caught. */
  readonly broken: readonly string[];
}

export class SuiteReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env["SLUICE_SUITE_OUTCOME"];
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const outcome: SuiteOutcome = {
      passed: tests.filter((test) => test.result().state === "passed").length,
      failed: tests.flatMap((test) => {
        const result = test.result();
        if (result.state !== "failed") return [];
        return [`${test.module.relativeModuleId} > ${test.fullName}: ${firstLine(result.errors[0])}`];
      }),
      skipped: tests.flatMap((test) => {
        const result = test.result();
        if (result.state !== "skipped" && result.state !== "pending") return [];
        return [result.state === "skipped" && result.note ? `${test.fullName}: ${result.note}` : test.fullName];
      }),
      broken: [
        ...modules.flatMap((module) => module.errors().map((error) => `${module.relativeModuleId}: ${error.message}`)),
        ...unhandled.map((error) => error.message),
      ],
    };
    writeFileSync(file, JSON.stringify(outcome));
  }
}

function firstLine(error: { readonly message: string } | undefined): string {
  return error?.message.split("\n", 1)[0] ?? "no reason given";
}

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter by its default export
export { SuiteReporter as default };

/**
 * Something that an operator should know about what they wrote: which object, which field, what is wrong and what to do.
 * An error means that the object is not used; a warning, that it is used but not as one might think; a note, that it was
 * seen and does not concern Sluice.
 */
export type Severity = "error" | "warning" | "note";

export interface Problem {
  readonly severity: Severity;
  /** `Kind/namespace/name`, or `Kind/name` for objects without a namespace; empty for a file that cannot be read. */
  readonly object: string;
  /** `spec.blocks[0].cidr`; empty when the object as a whole is meant. */
  readonly field: string;
  readonly message: string;
  /** `file.yaml:12`; `null` when it comes from no single place. */
  readonly where: string | null;
}

export function formatProblem(problem: Problem): string {
  const subject = [problem.object, problem.field].filter((part) => part !== "").join(" ");
  return [problem.where ?? "", subject, problem.message].filter((part) => part !== "").join(": ");
}

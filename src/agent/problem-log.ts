/** What is wrong with the configuration: kept for those who ask, and each problem written to the log once while it lasts. */
import { formatProblem, type Problem } from "../intent/problem.ts";

/** What is used of the process's log. */
interface Lines {
  warn(text: string): void;
  error(text: string): void;
}

export class ProblemLog {
  readonly #log: Lines;
  #problems: readonly Problem[] = [];

  constructor(log: Lines) {
    this.#log = log;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** What is wrong now; notes are kept only. */
  tell(problems: readonly Problem[]): void {
    const known = new Set(this.#problems.map(formatProblem));
    for (const problem of problems.filter(({ severity }) => severity !== "note")) {
      const text = formatProblem(problem);
      if (known.has(text)) continue;
      if (problem.severity === "error") this.#log.error(text);
      else this.#log.warn(text);
    }
    this.#problems = problems;
  }
}

/** About a node that announces nothing, because no manifest has heard of it. */
export function unknownNode(node: string): Problem {
  return {
    severity: "warning",
    object: `Node/${node}`,
    field: "",
    message: `nothing describes the Node ${node}, so it announces nothing; add it, or say its name with --node`,
    where: null,
  };
}

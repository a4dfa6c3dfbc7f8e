import { expect, it } from "vitest";
import type { Problem } from "../intent/problem.ts";
import { ProblemLog, unknownNode } from "./problem-log.ts";

const problem = (severity: Problem["severity"], message: string): Problem => ({
  ...unknownNode("n1"),
  severity,
  message,
});

it("a problem is told once while it lasts, again when it comes back, and a note never", () => {
  const told: string[] = [];
  const log = new ProblemLog({
    warn: (text: string) => void told.push(`warn ${text}`),
    error: (text: string) => void told.push(`error ${text}`),
  });
  const [bad, odd, note] = [problem("error", "bad"), problem("warning", "odd"), problem("note", "aside")];
  for (const now of [[bad, note], [bad, odd], [odd], [bad]]) log.tell(now);
  expect(told.map((line) => line.replace(/^(\w+).*(bad|odd|aside).*$/, "$1 $2"))).toEqual([
    "error bad",
    "warn odd",
    "error bad",
  ]);
  expect(log.problems).toEqual([bad]);
});

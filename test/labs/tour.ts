/**
 * What a lab shows. A tour goes through a document in its order: at every stop it types what a reader would type, shows
 * what comes back, and holds it against what the document says. The same stops are the lab's test: without commands, only the
 * claims are printed, one row each, with the line that shows it.
 */
import type { Namespace } from "../lab/namespace.ts";

const WIDTH = 118;

export interface Row {
  /** As in the list of claims: `B6`. */
  readonly claim: string;
  readonly sentence: string;
  readonly outcome: "shown" | "failed" | "not yet";
  readonly evidence: string;
}

export type Output = (text: string) => void;

export class Tour {
  readonly rows: Row[] = [];
  readonly #print: Output;
  readonly #commands: boolean;
  #stops = 0;

  /** @param commands whether commands and their answers are shown, or only the claims. */
  constructor(print: Output, { commands }: { readonly commands: boolean }) {
    this.#print = print;
    this.#commands = commands;
  }

  stop(title: string, why = ""): void {
    this.#stops += 1;
    this.#print(`\n${this.#stops}. ${title}\n`);
    if (this.#commands && why !== "") this.#print(`${indented(why)}\n`);
  }

  /** Shows what was typed where, and what it answered. */
  show(where: string, command: string, answer: string, mostLines = 24): void {
    if (!this.#commands) return;
    this.#print(`   ${where}# ${command}\n`);
    const lines = answer
      .trimEnd()
      .split("\n")
      .map((line) => line.trimEnd());
    for (const line of lines.slice(0, mostLines)) this.#print(`   ${cut(line, WIDTH - 3)}\n`);
    if (lines.length > mostLines) this.#print(`   … ${lines.length - mostLines} more lines\n`);
  }

  /** Types a command in a namespace and shows it; the answer, whatever the exit status. */
  type(where: Namespace, command: string, mostLines?: number): string {
    const { stdout, stderr } = where.try(["bash", "-c", command], { timeoutSeconds: 60 });
    this.show(nameOf(where), command, stdout + stderr, mostLines);
    return stdout;
  }

  /** @param evidence what was seen, in a line. */
  claim(claim: string, sentence: string, holds: boolean, evidence: string): void {
    this.#add({ claim, sentence, outcome: holds ? "shown" : "failed", evidence });
  }

  /** A claim that can't be shown; the reason stands in place of the evidence. */
  notYet(claim: string, sentence: string, reason: string): void {
    this.#add({ claim, sentence, outcome: "not yet", evidence: reason });
  }

  #add(row: Row): void {
    this.rows.push(row);
    const outcome = { shown: "OK     ", failed: "FAILED ", "not yet": "NOT YET" }[row.outcome];
    this.#print(`   ${row.claim.padEnd(4)} ${outcome} ${row.sentence}\n`);
    for (const line of wrapped(row.evidence)) this.#print(`                ${line}\n`);
  }
}

/** A namespace without the lab's prefix: the name of the machine. */
export function nameOf(namespace: Namespace): string {
  return namespace.name.slice(namespace.name.indexOf("-") + 1);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "   ");
}

function wrapped(evidence: string): string[] {
  const lines = [""];
  for (const word of evidence.trim().split(/\s+/)) {
    const line = lines.at(-1)!;
    if (line.length + word.length + 1 > WIDTH - 16 && line !== "") lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

function cut(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}

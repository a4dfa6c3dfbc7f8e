/** The demo's output: short headed sections, OK lines for what was checked, nothing wider than 100 columns. */

const WIDTH = 100;

export class DemoReport {
  #sections = 0;
  readonly #failed: string[] = [];

  section(title: string): void {
    this.#sections += 1;
    process.stdout.write(`\n${this.#sections}. ${title}\n`);
  }

  /** Plain lines, indented; longer ones are cut and marked. */
  show(text: string, mostLines = 20): void {
    const lines = text.trimEnd().split("\n");
    for (const line of lines.slice(0, mostLines)) {
      const indented = `   ${line}`;
      process.stdout.write(`${indented.length > WIDTH ? `${indented.slice(0, WIDTH - 1)}…` : indented}\n`);
    }
    if (lines.length > mostLines) process.stdout.write(`   … ${lines.length - mostLines} more lines\n`);
  }

  /** What was typed where, and what it answered. */
  command(where: string, command: string, answer: string, mostLines?: number): void {
    this.show(`${where}# ${command}`);
    this.show(answer, mostLines);
  }

  check(sentence: string, holds: boolean, seen?: unknown): void {
    if (!holds) this.#failed.push(sentence);
    process.stdout.write(`   ${holds ? "OK    " : "FAILED"} ${sentence}\n`);
    if (!holds && seen !== undefined) this.show(`seen: ${typeof seen === "string" ? seen : JSON.stringify(seen)}`);
  }

  /** True when every check held. */
  finish(seconds: number): boolean {
    const verdict = this.#failed.length === 0 ? "every check is OK" : `failed: ${this.#failed.join("; ")}`;
    process.stdout.write(`\ndemo: ${verdict} (${seconds.toFixed(0)} s)\n`);
    return this.#failed.length === 0;
  }
}

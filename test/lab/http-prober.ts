/** The probing client in a namespace, and what can be told from its log. */
import { join } from "node:path";
import type { Probe } from "./http-probe.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const PROGRAM = join(import.meta.dirname, "http-probe.ts");
const EVERY_MILLISECONDS = 25;
/** Short: a request that meets a gap is lost, and the next one finds its end. */
const PATIENCE_MILLISECONDS = 2500;

export class HttpProber {
  readonly #process: LabProcess;

  constructor(from: Namespace, url: string) {
    const words = [PROGRAM, url, `${EVERY_MILLISECONDS}`, `${PATIENCE_MILLISECONDS}`];
    this.#process = from.start("http-probe", [process.execPath, ...words]);
  }

  probes(): Probe[] {
    const lines = this.#process.log().split("\n");
    return lines.filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => JSON.parse(line) as Probe);
  }

  /** Resolves when requests are answered, a second's worth of them. */
  async answered(): Promise<void> {
    const isAnswered = () => this.probes().filter(({ error }) => error === null).length >= 20;
    await waitFor("requests to be answered", isAnswered, { seen: () => this.#process.log().slice(-500) });
  }

  /** Milliseconds from a moment to the first answer to a request that began after it; waits for that. */
  async answeredAfter(moment: number): Promise<number> {
    const first = () => {
      const answers = this.probes().filter(({ began, error }) => began >= moment && error === null);
      return answers.length === 0 ? null : { ended: Math.min(...answers.map(({ ended }) => ended)) };
    };
    const { ended } = await waitFor("an answer", first, { timeoutSeconds: 15, everyMilliseconds: 20 });
    return ended - moment;
  }

  /** Requests that began in a span and were not answered. */
  failed(from: number, to: number): Probe[] {
    return this.probes().filter(({ began, error }) => began >= from && began < to && error !== null);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

/** Connections at an even pace that leaves the machine time to spare, by a program of its own, built for one run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Namespace } from "../../test/lab/namespace.ts";

/** Microseconds from the first SYN. */
export interface PacedTimes {
  readonly p50: number;
  readonly p99: number;
}

export interface PacedResult {
  readonly failed: number;
  /** Until the connection stood. */
  readonly connected: PacedTimes;
  /** Until the answer had come and the server had closed. */
  readonly answered: PacedTimes;
}

export class PacedClient {
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  readonly #program = join(this.#folder, "paced-client");

  constructor() {
    const source = join(import.meta.dirname, "paced-client.c");
    execFileSync("cc", ["-O2", "-D_GNU_SOURCE", "-o", this.#program, source]);
  }

  /** @param url with an IPv4 address and a port. */
  async run(client: Namespace, url: string, perSecond: number, seconds: number): Promise<PacedResult> {
    const { hostname, port } = new URL(url);
    // Of a URL's own scheme the port is left out.
    const words = [hostname, port || "80", `${perSecond}`, `${seconds}`];
    const { status, stdout, stderr } = await client.tryLater([this.#program, ...words], {
      timeoutSeconds: seconds + 30,
    });
    if (status !== 0) throw new Error(`the paced client ended with ${status}: ${stderr}`);
    return JSON.parse(stdout) as PacedResult;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

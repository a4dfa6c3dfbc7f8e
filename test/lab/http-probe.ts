/**
 * A client that asks again and again, each time on a connection of its own, and prints how each request fared: one JSON
 * line with when it began (milliseconds of the wall clock), when it ended, and what went wrong (`null` for an answer).
 *
 *   http-probe.ts URL EVERY_MILLISECONDS PATIENCE_MILLISECONDS
 */
import { get } from "node:http";

export interface Probe {
  readonly began: number;
  readonly ended: number;
  readonly error: string | null;
}

if (import.meta.main) {
  const [url, every, patience] = process.argv.slice(2);
  const ask = () => {
    const began = Date.now();
    let isTold = false;
    const tell = (error: string | null) => {
      if (isTold) return;
      isTold = true;
      process.stdout.write(`${JSON.stringify({ began, ended: Date.now(), error } satisfies Probe)}\n`);
    };
    const request = get(url!, { agent: false, timeout: Number(patience) }, (response) => {
      response.on("data", () => {});
      response.on("end", () => tell(response.statusCode === 200 ? null : `status ${response.statusCode}`));
      response.on("error", (error: NodeJS.ErrnoException) => tell(error.code ?? error.message));
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error: NodeJS.ErrnoException) => tell(error.code ?? error.message));
  };
  setInterval(ask, Number(every));
}

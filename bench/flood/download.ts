/**
 * The client of the flood benchmark, a program of its own: downloads of one file, one after another over one connection.
 *
 *   node download.ts URL WITNESS [on]
 *
 * With `on` files follow one another until SIGTERM, whereafter the one under way is the last. Meanwhile it asks the same
 * server for a few bytes some hundred times a second, at the address WITNESS where no gateway is in between: what makes that
 * wait as well is the machine's doing. Prints "begun" with the first byte, and at the end one JSON line, `Download`.
 */
import { createHash } from "node:crypto";
import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface Download {
  /** Of each file that came. */
  readonly sha256: readonly string[];
  readonly megabytesPerSecond: number;
  /** Times in which nothing came, of more than a millisecond. */
  readonly silences: readonly Silence[];
  /** Answers past the gateway that took as long. */
  readonly witness: readonly Silence[];
  readonly connections: number;
}

/** Milliseconds of the epoch. */
export interface Silence {
  readonly from: number;
  readonly to: number;
}

/** The longest that has touched a time, milliseconds. */
export function longestSilence(silences: readonly Silence[], from = 0, to = Number.POSITIVE_INFINITY): number {
  const touching = silences.filter((silence) => silence.from < to && silence.to > from);
  return touching.reduce((longest, silence) => Math.max(longest, silence.to - silence.from), 0);
}

async function main(url: string, witnessUrl: string, goesOn: boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sha256: string[] = [];
  const silences: Silence[] = [];
  const sockets = new Set<number>();
  let isLast = !goesOn;
  process.once("SIGTERM", () => {
    isLast = true;
  });
  const witness: Silence[] = [];
  let isOver = false;
  const watching = watch(witnessUrl, witness, () => isOver);
  let bytes = 0;
  const start = performance.now();
  let heard = start;
  do {
    const hash = createHash("sha256");
    await new Promise<void>((resolve, reject) => {
      const request = get(url, { agent }, (response) => {
        response.on("data", (piece: Buffer) => {
          if (bytes === 0) console.log("begun");
          noteSilence(silences, heard);
          bytes += piece.length;
          hash.update(piece);
          // What computing the hash takes is the client's own silence.
          heard = performance.now();
        });
        response.on("end", resolve);
        response.on("error", reject);
      });
      request.on("socket", (socket) => socket.once("connect", () => sockets.add(socket.localPort ?? 0)));
      request.on("error", reject);
    });
    sha256.push(hash.digest("hex"));
  } while (!isLast);
  const megabytesPerSecond = bytes / 1e3 / (performance.now() - start);
  isOver = true;
  await watching;
  agent.destroy();
  console.log(JSON.stringify({ sha256, megabytesPerSecond, silences, witness, connections: sockets.size }));
}

async function watch(url: string, slow: Silence[], isOver: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (!isOver()) {
    const asked = performance.now();
    await new Promise<void>((resolve, reject) => {
      get(url, { agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
    });
    noteSilence(slow, asked);
    await sleep(1);
  }
  agent.destroy();
}

/** From a time until now, if that is worth a note. */
function noteSilence(silences: Silence[], from: number): void {
  const to = performance.now();
  if (to - from > 1) silences.push({ from: performance.timeOrigin + from, to: performance.timeOrigin + to });
}

if (import.meta.main) await main(process.argv[2]!, process.argv[3]!, process.argv[4] === "on");

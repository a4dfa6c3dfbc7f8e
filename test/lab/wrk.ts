/** wrk, run inside a namespace until it is stopped: how many requests were answered, how many were lost, and for how long. */
import { join } from "node:path";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";

const SCRIPT = join(import.meta.dirname, "wrk.lua");
const CONNECTIONS = 8;
const PAUSE_MILLISECONDS = 20;

/** How hard: by default a few hundred requests a second. */
export interface LoadPressure {
  readonly connections?: number;
  /** Between two requests of one connection. */
  readonly pauseMilliseconds?: number;
}
/** Longer than anything that is measured; it ends when it is stopped. */
const LONGEST_RUN_SECONDS = 86_400;

export interface LoadResult {
  readonly answered: number;
  /** Connections refused or reset while they were made. */
  readonly connect: number;
  /** Connections that ended under a request. */
  readonly read: number;
  readonly write: number;
  /** Requests that had no answer for two seconds; they may have had one later. */
  readonly timeout: number;
  /** Answers other than 200. */
  readonly status: number;
  /** The longest time in which no request of any connection was answered. */
  readonly longestGapMilliseconds: number;
}

/** Requests on connections of their own each, or on connections that stay. */
export type LoadKind = "new" | "kept";

export class Wrk {
  readonly kind: LoadKind;
  readonly #process: LabProcess;

  private constructor(kind: LoadKind, process: LabProcess) {
    this.kind = kind;
    this.#process = process;
  }

  static start(from: Namespace, url: string, kind: LoadKind, pressure: LoadPressure = {}): Wrk {
    const { connections = CONNECTIONS, pauseMilliseconds = PAUSE_MILLISECONDS } = pressure;
    const header = kind === "new" ? ["-H", "Connection: close"] : [];
    const shape = ["-t1", `-c${connections}`, `-d${LONGEST_RUN_SECONDS}s`, "--timeout", "2s"];
    const words = ["wrk", ...shape, "-s", SCRIPT, ...header, url, "--", `${pauseMilliseconds}`];
    return new Wrk(kind, from.start(`wrk-${kind}`, words));
  }

  /** Ends the load; what it saw. */
  async stop(): Promise<LoadResult> {
    // A load that has ended by itself says nothing about the rest of the time.
    if (this.#process.exit() !== null) throw new Error(`wrk ended before it was stopped: ${this.#process.log()}`);
    await this.#process.stop("SIGINT");
    const line = this.#process
      .log()
      .split("\n")
      .find((text) => text.startsWith("{"));
    if (line === undefined) throw new Error(`wrk printed no result: ${this.#process.log()}`);
    return JSON.parse(line) as LoadResult;
  }
}

/** Requests that were lost, or late by more than two seconds. */
export function lost({ connect, read, write, timeout, status }: LoadResult): number {
  return connect + read + write + timeout + status;
}

/**
 * Who opens new flows: the workers, or the kernel in their place. XDP decides that queue by queue (native/bpf/pressure.h);
 * this looks on, tells each change in one line, and remembers since when and why for those who ask.
 */
import type { Logger } from "pino";
import { QUEUES_PER_PORT } from "../worker/task.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { type Pressure, PressureMap } from "../xdp/queue-pressure.ts";
import { monotonic } from "../xdp/wait.ts";
import type { DatapathMode } from "./run-options.ts";

const LOOK_MILLISECONDS = 250;

export interface OpeningStatus {
  readonly by: "workers" | "kernel";
  readonly why: string;
  /** Of the last change, ISO 8601. */
  readonly since: string;
  /** How often the kernel has taken over, by why. */
  readonly takeovers: Readonly<Record<Pressure, number>>;
}

interface WatchedQueue {
  readonly port: string;
  readonly queue: number;
  /** Its place in the map. */
  readonly place: number;
}

const WORDS: Readonly<Record<Pressure, string>> = {
  behind: "is behind: its ring is nearly full",
  stalled: "has taken nothing for a fifth of a second",
  gone: "is gone",
};
const CONFIGURED: Readonly<Record<DatapathMode, string>> = {
  auto: "the workers keep up",
  userspace: "as configured",
  hybrid: "as configured",
  kernel: "as configured",
};

export class OpeningWatch {
  readonly #mode: DatapathMode;
  readonly #pressures: PressureMap;
  readonly #queues: readonly WatchedQueue[];
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #onChange: (by: OpeningStatus["by"]) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #takeovers: Record<Pressure, number> = { behind: 0, stalled: 0, gone: 0 };
  #status: Omit<OpeningStatus, "takeovers">;

  /** @param now milliseconds of the monotonic clock. @param onChange hears who opens flows from now on. */
  constructor(
    mode: DatapathMode,
    pressures: PressureMap,
    queues: readonly WatchedQueue[],
    now: () => number,
    log: Logger,
    onChange: (by: OpeningStatus["by"]) => void,
  ) {
    this.#onChange = onChange;
    this.#mode = mode;
    this.#pressures = pressures;
    this.#queues = queues;
    this.#now = now;
    this.#log = log;
    this.#status = { by: mode === "kernel" ? "kernel" : "workers", why: CONFIGURED[mode], since: wallClock(0) };
    this.#timer = setInterval(() => this.look(), LOOK_MILLISECONDS).unref();
  }

  get status(): OpeningStatus {
    return { ...this.#status, takeovers: { ...this.#takeovers } };
  }

  look(): void {
    if (this.#mode !== "auto") return;
    const now = this.#now();
    const pressed = this.#queues.flatMap((queue) => {
      const pressure = this.#pressures.read(queue.place, now);
      return pressure === null ? [] : [{ ...queue, ...pressure }];
    });
    const first = pressed.toSorted((a, b) => a.since - b.since)[0];
    if (first === undefined) {
      if (this.#status.by === "workers") return;
      this.#status = { by: "workers", why: CONFIGURED.auto, since: wallClock(0) };
      this.#log.info("new flows are opened by the workers again");
      this.#onChange("workers");
      return;
    }
    if (this.#status.by === "kernel") return;
    const why = `the worker of queue ${first.queue} of ${first.port} ${WORDS[first.pressure]}`;
    this.#status = { by: "kernel", why, since: wallClock(now - first.since) };
    this.#takeovers[first.pressure]++;
    this.#log.warn(`new flows are opened by the kernel: ${why}`);
    this.#onChange("kernel");
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** Watches all queues of these ports. */
export function watchOpening(
  mode: DatapathMode,
  object: BpfObject,
  ports: readonly { readonly id: number; readonly name: string; readonly queues: number }[],
  log: Logger,
  onChange: (by: OpeningStatus["by"]) => void,
): OpeningWatch {
  const queues = ports.flatMap(({ id, name, queues: count }) =>
    Array.from({ length: count }, (_, queue) => ({ port: name, queue, place: id * QUEUES_PER_PORT + queue })),
  );
  const clock = new Float64Array(1);
  const now = () => {
    monotonic(clock);
    return clock[0]! / 1e6;
  };
  return new OpeningWatch(mode, new PressureMap(object.map("queues").mmap()), queues, now, log, onChange);
}

function wallClock(millisecondsAgo: number): string {
  return new Date(Date.now() - millisecondsAgo).toISOString();
}

/**
 * Whether the workers' threads run. One without frames wakes every second, so one that has made no turn at three looks in a
 * row, a second apart, is stopped, or gets no time on its core: a debugger, a cgroup's limit, another program in real-time
 * priority. Its frames wait. It is told in one line, and remembered for those who ask; nobody but the operator can help it.
 */
import type { Logger } from "pino";
import type { WorkerTurns } from "../worker/worker-pool.ts";

const LOOK_MILLISECONDS = 1000;
/** Looks are counted, not seconds: of a process that has stood still as a whole it is not the workers. */
const LOOKS = 3;

export interface WorkerStatus extends WorkerTurns {
  /** For how many seconds it has made no turn; 0 for one that is at work, or dead. */
  readonly stalledSeconds: number;
}

export class WorkerWatch {
  readonly #read: () => readonly WorkerTurns[];
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #looks: { turns: number; same: number }[] = [];

  constructor(read: () => readonly WorkerTurns[], log: Logger) {
    this.#read = read;
    this.#log = log;
    this.#timer = setInterval(() => this.look(), LOOK_MILLISECONDS).unref();
  }

  get status(): WorkerStatus[] {
    return this.#read().map((worker, index) => {
      const seen = this.#looks[index];
      const stalls = worker.alive && seen !== undefined && seen.turns === worker.turns && seen.same >= LOOKS;
      return { ...worker, stalledSeconds: stalls ? (seen.same * LOOK_MILLISECONDS) / 1000 : 0 };
    });
  }

  look(): void {
    this.#looks = this.#read().map(({ alive, turns }, worker) => {
      const before = this.#looks[worker];
      const same = alive && before?.turns === turns ? before.same + 1 : 0;
      if (same === LOOKS) {
        this.#log.warn({ worker }, `a datapath worker has made no turn for ${LOOKS} s; its frames wait`);
      } else if (same === 0 && (before?.same ?? 0) >= LOOKS) {
        this.#log.info({ worker }, "the datapath worker goes on");
      }
      return { turns, same };
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

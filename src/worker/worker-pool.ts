/**
 * The datapath workers as the main thread sees them: a piscina pool in which each thread runs one endless task.
 *
 *     const pool = new WorkerPool(tasks, onFailure);
 *     await pool.start();                   // resolves when every worker has its sockets
 *     await pool.publishTable(columns);     // resolves when every worker forwards by it
 *     await pool.stop();
 */
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import type { ForwardingColumns } from "../dataplane/forwarding-table.ts";
import { EventFd } from "../xdp/wait.ts";
import {
  CONTROL_COMMANDS,
  CONTROL_EPOCH,
  CONTROL_HEARTBEAT,
  CONTROL_READY,
  CONTROL_STOP,
  CONTROL_WORDS,
  type WorkerMessage,
  type WorkerTask,
} from "./task.ts";

/** What differs between workers, and what they share; the pool adds the means of control. */
export type WorkerSpec = Omit<WorkerTask, "control" | "wakeFd" | "messages">;

const ACKNOWLEDGE_MILLISECONDS = 5000;
const STOP_MILLISECONDS = 3000;
/** A worker that has failed is started anew after this long: its flows are in the shared table and go on. */
const RESTART_MILLISECONDS = 1000;

interface RunningWorker {
  readonly control: Int32Array;
  readonly wake: EventFd;
  readonly messages: MessagePort;
  /** Settles when the worker's task ends. */
  readonly ended: Promise<void>;
  alive: boolean;
}

export class WorkerPool {
  readonly #specs: readonly WorkerSpec[];
  readonly #onFailure: (worker: number, error: Error) => void;
  readonly #pool: Piscina;
  #workers: RunningWorker[] = [];
  /** What a worker that is started anew forwards by. */
  #newest: Partial<Pick<WorkerSpec, "table" | "fib">> = {};
  #started = false;
  #stopping = false;

  constructor(specs: readonly WorkerSpec[], onFailure: (worker: number, error: Error) => void) {
    this.#specs = specs;
    this.#onFailure = onFailure;
    this.#pool = new Piscina({
      filename: workerFile(),
      name: "runDatapathWorker",
      minThreads: specs.length,
      maxThreads: specs.length,
      concurrentTasksPerWorker: 1,
      // Piscina's own waiting would block a thread that has work of its own to wait for.
      atomics: "disabled",
    });
  }

  /** Rejects with the first worker's error when one can't open its sockets. */
  async start(): Promise<void> {
    this.#workers = this.#specs.map((spec, index) => this.#run(spec, index));
    await Promise.all(
      this.#workers.map((worker) => Promise.race([waitWhile(worker.control, CONTROL_READY, 0), worker.ended])),
    );
    this.#started = true;
  }

  /** Makes every worker forward by a new table; resolves when all do. */
  async publishTable(columns: ForwardingColumns): Promise<void> {
    this.#newest = { ...this.#newest, table: columns };
    this.#send({ kind: "table", columns });
    const deadline = Date.now() + ACKNOWLEDGE_MILLISECONDS;
    for (const worker of this.#workers) {
      for (;;) {
        const epoch = Atomics.load(worker.control, CONTROL_EPOCH);
        if (epoch === columns.epoch || !worker.alive) break;
        if (Date.now() > deadline) throw new Error(`a worker has not taken epoch ${columns.epoch} within 5 s`);
        await waitWhile(worker.control, CONTROL_EPOCH, epoch);
      }
    }
  }

  publishFib(words: Int32Array): void {
    this.#newest = { ...this.#newest, fib: words };
    this.#send({ kind: "fib", words });
  }

  /** Which workers run, and how many turns each has made. */
  status(): { alive: boolean; turns: number }[] {
    return this.#workers.map(({ alive, control }) => ({
      alive,
      turns: Atomics.load(control, CONTROL_HEARTBEAT) >>> 0,
    }));
  }

  /** Ends all workers; their sockets are closed when this resolves. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const { control, wake } of this.#workers) {
      Atomics.store(control, CONTROL_STOP, 1);
      wake.signal();
    }
    const ended = Promise.allSettled(this.#workers.map((worker) => worker.ended));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_MILLISECONDS).unref())]);
    await this.#pool.destroy();
    for (const { wake, messages } of this.#workers) {
      messages.close();
      wake.close();
    }
  }

  #run(spec: WorkerSpec, index: number): RunningWorker {
    const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
    const wake = new EventFd();
    const { port1, port2 } = new MessageChannel();
    const task: WorkerTask = { ...spec, control, wakeFd: wake.fd, messages: port2 };
    const ended: Promise<void> = this.#pool.run(task, { transferList: [port2] });
    const worker: RunningWorker = { control, wake, messages: port1, ended, alive: true };
    port1.unref();
    ended.then(
      () => {
        worker.alive = false;
      },
      (error: Error) => {
        worker.alive = false;
        if (this.#started && !this.#stopping) this.#replace(worker, index, error);
      },
    );
    return worker;
  }

  #replace(worker: RunningWorker, index: number, error: Error): void {
    this.#onFailure(index, error);
    worker.messages.close();
    setTimeout(() => {
      if (this.#stopping) return;
      worker.wake.close();
      this.#workers[index] = this.#run({ ...this.#specs[index]!, ...this.#newest }, index);
    }, RESTART_MILLISECONDS).unref();
  }

  #send(message: WorkerMessage): void {
    for (const { messages, control, wake } of this.#workers) {
      messages.postMessage(message);
      Atomics.add(control, CONTROL_COMMANDS, 1);
      wake.signal();
    }
  }
}

/** Resolves when the word is no longer `value`, or after 100 ms: the caller looks again. */
async function waitWhile(words: Int32Array, index: number, value: number): Promise<void> {
  for (;;) {
    const outcome = Atomics.waitAsync(words, index, value, 100);
    if (!outcome.async || (await outcome.value) === "ok") return;
    if (index !== CONTROL_READY) return;
  }
}

/** The worker's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function workerFile(): string {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./datapath-worker.${suffix}`, import.meta.url));
}

/**
 * The datapath workers as the main thread sees them: a piscina pool in which each thread runs one endless task.
 *
 *     const pool = new WorkerPool(tasks, listener);
 *     await pool.start();                   // resolves when every worker has its sockets
 *     await pool.publishTable(columns, policies);   // resolves when every worker forwards by it
 *     await pool.stop();
 */
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import type { ForwardingColumns } from "../dataplane/forwarding-table.ts";
import type { PolicyScene } from "../policy-host/loaded-policy.ts";
import { POLICY_THREAD_LIMITS } from "../policy-host/thread-limits.ts";
import type { TraceOrder } from "../trace/frame-tracer.ts";
import { EventFd } from "../xdp/wait.ts";
import {
  CONTROL_COMMANDS,
  CONTROL_EPOCH,
  CONTROL_HEARTBEAT,
  CONTROL_HURRY,
  CONTROL_POLICY,
  CONTROL_READY,
  CONTROL_STOP,
  CONTROL_WORDS,
  type WorkerMessage,
  type WorkerNews,
  type WorkerTask,
} from "./task.ts";

/** What differs between workers, and what they share; the pool adds the means of control. */
export type WorkerSpec = Omit<WorkerTask, "control" | "wakeFd" | "messages" | "trace">;

const ACKNOWLEDGE_MILLISECONDS = 5000;
const STOP_MILLISECONDS = 3000;
/** A worker that has failed is started anew after this long: its flows are in the shared table and go on. */
const RESTART_MILLISECONDS = 1000;
/**
 * How often the watchdog looks, and how many times it must find a worker in the same call of a policy: together so short
 * that the second SYN of a client, a second after its first one, finds the next worker.
 */
const WATCH_MILLISECONDS = 100;
const WATCH_PATIENCE = 5;

interface WorkerListener {
  readonly onFailure: (worker: number, error: Error) => void;
  readonly onNews: (worker: number, news: WorkerNews) => void;
  /** The worker has ended over a hook of the policy in this slot; it is replaced when this has been heard. */
  readonly onBrokenPolicy: (worker: number, slot: number, how: string) => void;
}

export interface WorkerTurns {
  readonly alive: boolean;
  readonly turns: number;
}

interface RunningWorker {
  readonly control: Int32Array;
  readonly wake: EventFd;
  readonly messages: MessagePort;
  /** Settles when the worker's task ends. */
  readonly ended: Promise<void>;
  /** Ends the thread, whatever it does. */
  readonly terminate: () => void;
  alive: boolean;
  /** The heartbeat as the watchdog saw it last, and how often it was the same while a policy was being asked. */
  heartbeat: number;
  stuck: number;
  /** It has been ended for that. */
  isStuck: boolean;
}

export class WorkerPool {
  readonly #specs: readonly WorkerSpec[];
  readonly #listener: WorkerListener;
  readonly #pool: Piscina;
  #workers: RunningWorker[] = [];
  /** What a worker that is started anew forwards by. */
  #newest: Partial<Pick<WorkerSpec, "table" | "policies" | "fib">> = {};
  /** By worker: what it shows of its frames. */
  #trace: readonly (TraceOrder | null)[] = [];
  #hurries = false;
  #started = false;
  #stopping = false;
  /** While there are policies: nothing else can keep a worker from coming back. */
  #watchdog: NodeJS.Timeout | null = null;

  constructor(specs: readonly WorkerSpec[], listener: WorkerListener) {
    this.#specs = specs;
    this.#listener = listener;
    this.#pool = new Piscina({
      filename: workerFile(),
      name: "runDatapathWorker",
      minThreads: specs.length,
      maxThreads: specs.length,
      concurrentTasksPerWorker: 1,
      resourceLimits: POLICY_THREAD_LIMITS,
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

  /** Makes every worker forward by a new table and ask these policies; resolves when all do. */
  async publishTable(columns: ForwardingColumns, policies: PolicyScene | null): Promise<void> {
    this.#newest = { ...this.#newest, table: columns, policies };
    // Once there have been some a worker may still be in one of their calls.
    if (policies !== null) this.#watchdog ??= setInterval(() => this.#watch(), WATCH_MILLISECONDS).unref();
    this.#send({ kind: "table", columns, policies });
    const deadline = Date.now() + ACKNOWLEDGE_MILLISECONDS;
    for (const [index, worker] of this.#workers.entries()) {
      for (;;) {
        const epoch = Atomics.load(worker.control, CONTROL_EPOCH);
        if (epoch === columns.epoch || !worker.alive) break;
        if (Date.now() > deadline) {
          throw new Error(`worker ${index} has not taken epoch ${columns.epoch} within 5 s: its thread does not run`);
        }
        await waitWhile(worker.control, CONTROL_EPOCH, epoch);
      }
    }
  }

  /** Whether some worker does not keep up: the others leave to the kernel what would come to it. */
  hurry(on: boolean): void {
    this.#hurries = on;
    for (const { control } of this.#workers) Atomics.store(control, CONTROL_HURRY, on ? 1 : 0);
  }

  publishFib(words: Int32Array): void {
    this.#newest = { ...this.#newest, fib: words };
    this.#send({ kind: "fib", words });
  }

  /** Makes each worker show frames in a ring of its own, or, with an empty list, none any more. */
  publishTrace(orders: readonly TraceOrder[]): void {
    this.#trace = orders;
    for (const [index, worker] of this.#workers.entries()) {
      send(worker, { kind: "trace", order: orders[index] ?? null });
    }
  }

  /** Which workers run, and how many turns each has made. */
  status(): WorkerTurns[] {
    return this.#workers.map(({ alive, control }) => ({
      alive,
      turns: Atomics.load(control, CONTROL_HEARTBEAT) >>> 0,
    }));
  }

  /** Ends all workers; their sockets are closed when this resolves. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
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
    control[CONTROL_HURRY] = this.#hurries ? 1 : 0;
    const wake = new EventFd();
    const { port1, port2 } = new MessageChannel();
    const task: WorkerTask = { ...spec, control, wakeFd: wake.fd, messages: port2, trace: this.#trace[index] ?? null };
    const abort = new AbortController();
    const ended: Promise<void> = this.#pool.run(task, { transferList: [port2], signal: abort.signal });
    const terminate = () => abort.abort();
    const watched = { heartbeat: 0, stuck: 0, isStuck: false };
    const worker: RunningWorker = { control, wake, messages: port1, ended, terminate, alive: true, ...watched };
    port1.on("message", (news: WorkerNews) => this.#listener.onNews(index, news));
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
    // A policy is not called any more from now on, so there is nothing to wait for.
    const policy = Atomics.load(worker.control, CONTROL_POLICY);
    if (policy === 0) this.#listener.onFailure(index, error);
    else this.#listener.onBrokenPolicy(index, policy - 1, worker.isStuck ? "a hook has not returned" : error.message);
    worker.messages.close();
    const begin = () => {
      if (this.#stopping) return;
      worker.wake.close();
      this.#workers[index] = this.#run({ ...this.#specs[index]!, ...this.#newest }, index);
    };
    setTimeout(begin, policy === 0 ? RESTART_MILLISECONDS : 0).unref();
  }

  /** A worker that stays in one call of a policy is replaced: its flows are in the shared table and go on. */
  #watch(): void {
    for (const worker of this.#workers) {
      const policy = Atomics.load(worker.control, CONTROL_POLICY);
      const heartbeat = Atomics.load(worker.control, CONTROL_HEARTBEAT);
      worker.stuck = worker.alive && policy !== 0 && heartbeat === worker.heartbeat ? worker.stuck + 1 : 0;
      worker.heartbeat = heartbeat;
      if (worker.stuck < WATCH_PATIENCE) continue;
      worker.stuck = 0;
      worker.isStuck = true;
      worker.terminate();
    }
  }

  #send(message: WorkerMessage): void {
    for (const worker of this.#workers) send(worker, message);
  }
}

function send({ messages, control, wake }: RunningWorker, message: WorkerMessage): void {
  messages.postMessage(message);
  Atomics.add(control, CONTROL_COMMANDS, 1);
  wake.signal();
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

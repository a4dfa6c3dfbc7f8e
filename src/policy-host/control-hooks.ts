/**
 * The hooks of the control side as the main thread sees them: `intent` and `onFlowEnd` run in one thread, which is there
 * only while a policy has one of them.
 *
 *     hooks.show(policies, services);            // with each change
 *     const answers = await hooks.ask(questions);
 *
 * A hook that does not return, or takes all of the thread's memory, switches its policy off; the thread is made anew.
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { DirectoryEntry } from "../policy/service-directory.ts";
import {
  CONTROL_BEAT,
  CONTROL_CALLED,
  CONTROL_WORDS,
  type ControlMessage,
  type ControlNews,
  type ControlTask,
  type IntentAnswer,
  type IntentQuestion,
} from "./control-task.ts";
import type { LoadedPolicy } from "./loaded-policy.ts";
import { POLICY_THREAD_LIMITS } from "./thread-limits.ts";

const WATCH_MILLISECONDS = 200;
const WATCH_PATIENCE = 5;
const RESTART_MILLISECONDS = 1000;

interface ControlHooksListener {
  readonly onTrouble: (policy: string, message: string, isOff: boolean) => void;
  /** The policy in this slot has ended the thread; it is no longer to be called. */
  readonly onBroken: (slot: number, how: string) => void;
}

export class ControlHooks {
  readonly #task: ControlTask;
  readonly #listener: ControlHooksListener;
  #thread: Worker | null = null;
  #scene: ControlMessage | null = null;
  #asked: ((answers: readonly IntentAnswer[] | null) => void) | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #seen = 0;
  #stuck = 0;

  constructor(task: Omit<ControlTask, "control">, listener: ControlHooksListener) {
    this.#task = { ...task, control: new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS)) };
    this.#listener = listener;
  }

  /** Who is called from now on, and the Services by which VIPs are named. */
  show(policies: readonly LoadedPolicy[], services: readonly DirectoryEntry[]): void {
    const called = policies.filter(({ hooks }) => hooks.includes("intent") || hooks.includes("onFlowEnd"));
    if (called.length === 0) {
      this.close();
      return;
    }
    this.#scene = { kind: "scene", policies: called, services };
    if (this.#thread === null) this.#begin();
    else this.#thread.postMessage(this.#scene);
  }

  /** One question at a time. @returns `null` when the thread has ended over it. */
  ask(questions: readonly IntentQuestion[]): Promise<readonly IntentAnswer[] | null> {
    const thread = this.#thread;
    if (thread === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#asked = resolve;
      thread.postMessage({ kind: "intent", questions } satisfies ControlMessage);
    });
  }

  close(): void {
    this.#scene = null;
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#watchdog = null;
    this.#end();
  }

  #begin(): void {
    this.#task.control.fill(0);
    const thread = new Worker(threadFile(), { workerData: this.#task, resourceLimits: POLICY_THREAD_LIMITS });
    this.#thread = thread;
    thread.unref();
    thread.on("message", (news: ControlNews) => {
      if (news.kind === "trouble") this.#listener.onTrouble(news.policy, news.message, news.isOff);
      else this.#answer(news.answers);
    });
    // Memory that is all used up, or a module that ends its process.
    thread.once("error", (error) => this.#broken(thread, error.message));
    thread.once("exit", () => this.#broken(thread, "it has ended its thread"));
    thread.postMessage(this.#scene);
    this.#watchdog ??= setInterval(() => this.#watch(thread), WATCH_MILLISECONDS).unref();
  }

  #end(): void {
    const thread = this.#thread;
    this.#thread = null;
    void thread?.terminate();
    this.#answer(null);
  }

  #answer(answers: readonly IntentAnswer[] | null): void {
    this.#asked?.(answers);
    this.#asked = null;
  }

  #watch(thread: Worker): void {
    const { control } = this.#task;
    const beat = Atomics.load(control, CONTROL_BEAT);
    this.#stuck = Atomics.load(control, CONTROL_CALLED) !== 0 && beat === this.#seen ? this.#stuck + 1 : 0;
    this.#seen = beat;
    if (this.#stuck >= WATCH_PATIENCE) this.#broken(thread, "a hook has not returned");
  }

  #broken(thread: Worker, how: string): void {
    if (thread !== this.#thread) return;
    this.#stuck = 0;
    const called = Atomics.load(this.#task.control, CONTROL_CALLED);
    if (called > 0) this.#listener.onBroken(called - 1, how);
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#watchdog = null;
    this.#end();
    if (this.#scene === null) return;
    // Who has ended it is called no more; what ended for no reason that is known must not do so again and again.
    if (called > 0) this.#begin();
    else setTimeout(() => this.#resume(), RESTART_MILLISECONDS).unref();
  }

  #resume(): void {
    if (this.#scene !== null && this.#thread === null) this.#begin();
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadFile(): string {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./control-hooks-thread.${suffix}`, import.meta.url));
}

/**
 * The BGP speaker as the rest of the process sees it: a handle to a thread of its own, so that a busy main thread never
 * delays a keepalive.
 *
 *     const speaker = new Speaker();
 *     await speaker.start();
 *     await speaker.apply(spec);           // declarative; again with a changed spec whenever it changes
 *     speaker.onEvent((event) => ...);
 *     await speaker.stop({ cease: true });
 */
import { Worker } from "node:worker_threads";
import { SpeakerCalls } from "./speaker-calls.ts";
import type { SpeakerOptions, StopOptions } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest } from "./speaker-message.ts";

/** How long the goodbyes may take to leave before the thread is ended anyway. */
const STOP_MILLISECONDS = 3000;

export class Speaker extends SpeakerCalls {
  readonly #options: SpeakerOptions;
  #worker: Worker | null = null;

  constructor(options: SpeakerOptions = { restarting: false }) {
    super();
    this.#options = options;
  }

  /** Starts the thread, with no session yet. */
  async start(): Promise<void> {
    if (this.#worker !== null) return;
    const worker = new Worker(threadEntry(), { workerData: this.#options, name: "speaker" });
    this.#worker = worker;
    worker.on("message", (reply: SpeakerReply) => this.take(reply));
    const ended = (reason: string) => {
      if (this.#worker === worker) this.#worker = null;
      this.fail(reason);
    };
    worker.on("error", (error: Error) => ended(`the speaker's thread failed: ${error.message}`));
    worker.on("exit", () => ended("the speaker's thread has ended"));
    await new Promise<void>((resolve, reject) => {
      worker.once("online", resolve);
      worker.once("error", reject);
    });
  }

  /** Ends all sessions and the thread. Safe to call twice. */
  async stop(options: StopOptions): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    await this.call({ call: "stop", options });
    const timer = setTimeout(() => void worker.terminate(), STOP_MILLISECONDS);
    await exited;
    clearTimeout(timer);
  }

  protected override post(request: SpeakerRequest): Error | null {
    if (this.#worker === null) return new Error("the speaker is not running");
    this.#worker.postMessage(request);
    return null;
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadEntry(): URL {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./speaker-thread.${suffix}`, import.meta.url);
}

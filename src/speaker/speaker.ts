/**
 * The BGP speaker as the rest of the process sees it: a handle to a thread of its own, so that a busy main thread never
 * delays a keepalive. A thread that fails is started anew and given what it was last told; routers with graceful restart
 * keep the routes meanwhile.
 *
 *     const speaker = new Speaker();
 *     await speaker.start();
 *     await speaker.apply(spec);           // declarative; again with a changed spec whenever it changes
 *     speaker.onEvent((event) => ...);
 *     await speaker.stop({ cease: true });
 */
import { Worker } from "node:worker_threads";
import type { DeclaredSpec } from "../bgp/declared-spec.ts";
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { SpeakerCalls } from "./speaker-calls.ts";
import type { SpeakerOptions, StopOptions } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest } from "./speaker-message.ts";
import { type Absence, unknownStatuses } from "./unknown-status.ts";

/** How long the goodbyes may take to leave before the thread is ended anyway. */
const STOP_MILLISECONDS = 3000;

/** A thread that fails as soon as it starts should not take a processor. */
const RESTART_MILLISECONDS = 1000;

export class Speaker extends SpeakerCalls {
  readonly #options: SpeakerOptions;
  readonly #entry: URL;
  #worker: Worker | null = null;
  #last: DeclaredSpec | null = null;
  #restart: NodeJS.Timeout | null = null;
  #absence: Absence | null = null;
  #stopping = false;

  /** @param entry of the thread. */
  constructor(options: SpeakerOptions = { restarting: false }, entry = threadEntry()) {
    super();
    this.#options = options;
    this.#entry = entry;
  }

  /** Starts the thread, with no session yet. */
  async start(): Promise<void> {
    if (this.#worker !== null) return;
    const worker = new Worker(this.#entry, { workerData: this.#options, name: "speaker" });
    this.#worker = worker;
    this.#stopping = false;
    worker.on("message", (reply: SpeakerReply) => this.take(reply));
    const ended = (reason: string) => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      if (!this.#stopping) this.#startLater(reason);
      this.fail(reason);
    };
    worker.on("error", (error: Error) => ended(`the speaker's thread failed: ${error.message}`));
    worker.on("exit", () => ended("the speaker's thread has ended"));
    await new Promise<void>((resolve, reject) => {
      worker.once("online", resolve);
      worker.once("error", reject);
    });
  }

  /** While the thread is away there are no sessions to change: it is told when it is back. */
  override async declare(spec: DeclaredSpec): Promise<void> {
    const before = this.#last;
    this.#last = spec;
    try {
      if (this.#restart === null) await super.declare(spec);
    } catch (error) {
      if (this.#restart !== null) return;
      this.#last = before;
      throw error;
    }
  }

  override async status(): Promise<PeerStatus[]> {
    if (this.#restart === null) return super.status();
    return unknownStatuses(this.#last, this.#absence!);
  }

  /** Ends all sessions and the thread. Safe to call twice. */
  async stop(options: StopOptions): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    this.#restart = null;
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

  #startLater(reason: string): void {
    this.#absence = { lastError: reason, downSinceMilliseconds: Date.now(), hint: null };
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.start()
        .then(() => (this.#last === null ? undefined : super.declare(this.#last)))
        .catch(() => {
          // Refused, which whoever declared it has been told; or the thread has failed again, which has its own restart.
        });
    }, RESTART_MILLISECONDS);
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadEntry(): URL {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./speaker-thread.${suffix}`, import.meta.url);
}

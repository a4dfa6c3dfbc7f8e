/**
 * Announcing addresses on links, as the gateway sees it: a handle to a thread.
 *
 *     const announcer = await LinkAnnouncer.start(setup, { onEvent, onFailure });
 *     await announcer.apply(spec);     // only what this node serves already
 *     await announcer.drain(true);         // others answer now; what still arrives is served as before
 *     await announcer.close();
 */
import { Worker } from "node:worker_threads";
import type {
  AnnouncerEvent,
  AnnouncerNews,
  AnnouncerRequest,
  AnnouncerSetup,
  AnnouncerSpec,
  L2Status,
  WhoAnswer,
} from "./announcer-message.ts";

/** A request without the number by which its answer is known. */
type Question = AnnouncerRequest extends infer Request
  ? Request extends { readonly id: number }
    ? Omit<Request, "id">
    : never
  : never;

export interface AnnouncerListener {
  readonly onEvent: (event: AnnouncerEvent) => void;
  /** The thread has died; what it answered for is answered for no longer once another one starts. */
  readonly onFailure: (error: Error) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class LinkAnnouncer {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #failure: Error | null = null;

  /** Rejects where the port of the heartbeats is taken, in words. */
  static async start(setup: AnnouncerSetup, listener: AnnouncerListener): Promise<LinkAnnouncer> {
    const announcer = new LinkAnnouncer(setup, listener);
    await new Promise((resolve, reject) => announcer.#waiting.set(0, { resolve, reject }));
    return announcer;
  }

  private constructor(setup: AnnouncerSetup, { onEvent, onFailure }: AnnouncerListener) {
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const entry = new URL(`./announcer-thread.${suffix}`, import.meta.url);
    this.#worker = new Worker(entry, { workerData: setup, name: "announcer" });
    this.#worker.on("message", (news: AnnouncerNews) => {
      if (news.tell === "event") onEvent(news.event);
      else {
        this.#waiting.get(news.id)?.resolve(news.value);
        this.#waiting.delete(news.id);
      }
    });
    this.#worker.on("error", (error: Error) => {
      // Before it has begun, whoever starts it is told.
      const hasBegun = !this.#waiting.has(0);
      this.#fail(error);
      if (hasBegun) onFailure(error);
    });
    this.#worker.on("exit", () => this.#fail(new Error("the announcer has ended")));
  }

  async apply(spec: AnnouncerSpec): Promise<void> {
    await this.#ask({ do: "apply", spec });
  }

  /** Addresses with live flows, which are not moved to balance. */
  busy(addresses: readonly string[]): void {
    if (this.#failure === null) this.#worker.postMessage({ do: "busy", addresses } satisfies AnnouncerRequest);
  }

  async move(address: string, to: string): Promise<void> {
    await this.#ask({ do: "move", address, to });
  }

  async status(): Promise<L2Status> {
    return (await this.#ask({ do: "owners" })) as L2Status;
  }

  async who(address: string): Promise<readonly WhoAnswer[]> {
    return (await this.#ask({ do: "who", address })) as readonly WhoAnswer[];
  }

  /** Resolves when others answer for everything that somebody else may own, or after a while. `false` ends the drain. */
  async drain(on: boolean): Promise<void> {
    await this.#ask({ do: "drain", on });
  }

  async close(): Promise<void> {
    if (this.#failure !== null) return;
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    await this.#ask({ do: "close" });
    await ended;
  }

  #ask(question: Question): Promise<unknown> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...question, id });
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

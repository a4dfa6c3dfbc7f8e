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
import type { ReceivedRoute } from "../bgp/adj-rib-in.ts";
import type { PeerStatus, RouteSpec, SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { Explanation, SpeakerOptions, StopOptions } from "./speaker-core.ts";
import type { SpeakerListener } from "./speaker-event.ts";
import type { SpeakerCall, SpeakerReply } from "./speaker-message.ts";

/** How long the goodbyes may take to leave before the thread is ended anyway. */
const STOP_MILLISECONDS = 3000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #listeners = new Set<SpeakerListener>();
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #nextId = 1;

  constructor(options: SpeakerOptions = { restarting: false }) {
    this.#options = options;
  }

  /** Starts the thread, with no session yet. */
  async start(): Promise<void> {
    if (this.#worker !== null) return;
    const worker = new Worker(threadEntry(), { workerData: this.#options, name: "speaker" });
    this.#worker = worker;
    worker.on("message", (reply: SpeakerReply) => this.#take(reply));
    const ended = (reason: string) => {
      if (this.#worker === worker) this.#worker = null;
      for (const { reject } of this.#pending.values()) reject(new Error(reason));
      this.#pending.clear();
    };
    worker.on("error", (error: Error) => ended(`the speaker's thread failed: ${error.message}`));
    worker.on("exit", () => ended("the speaker's thread has ended"));
    await new Promise<void>((resolve, reject) => {
      worker.once("online", resolve);
      worker.once("error", reject);
    });
  }

  /** Makes the sessions be as `spec` says; resolves when it is in force (sessions come up later). */
  async apply(spec: SpeakerSpec): Promise<void> {
    await this.#call({ call: "apply", spec });
  }

  async status(): Promise<PeerStatus[]> {
    return (await this.#call({ call: "status" })) as PeerStatus[];
  }

  /** The routes that the peer of this name has been told. */
  async advertised(peerName: string): Promise<RouteSpec[]> {
    return (await this.#call({ call: "advertised", peerName })) as RouteSpec[];
  }

  async received(peerName: string, most = 1000): Promise<ReceivedRoute[]> {
    return (await this.#call({ call: "received", peerName, most })) as ReceivedRoute[];
  }

  /** Why each peer (or the one named) has the prefix or has it not. */
  async explain(prefix: string, peerName: string | null = null): Promise<Explanation[]> {
    return (await this.#call({ call: "explain", prefix, peerName })) as Explanation[];
  }

  /** Asks the peer for its routes again (RFC 2918). */
  async refresh(peerName: string): Promise<void> {
    await this.#call({ call: "refresh", peerName });
  }

  /** The last messages of the peer's session as a capture file; `null` for an unknown peer. */
  async capture(peerName: string): Promise<Uint8Array | null> {
    return (await this.#call({ call: "capture", peerName })) as Uint8Array | null;
  }

  /** Calls `listener` on each event until the returned function is called. */
  onEvent(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all sessions and the thread. Safe to call twice. */
  async stop(options: StopOptions): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    await this.#call({ call: "stop", options });
    const timer = setTimeout(() => void worker.terminate(), STOP_MILLISECONDS);
    await exited;
    clearTimeout(timer);
  }

  #call(call: SpeakerCall): Promise<unknown> {
    const worker = this.#worker;
    if (worker === null) return Promise.reject(new Error("the speaker is not running"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ ...call, id });
    });
  }

  #take(reply: SpeakerReply): void {
    if (reply.type === "event") {
      for (const listener of this.#listeners) listener(reply.event);
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.type === "answer") pending?.resolve(reply.value);
    else pending?.reject(new Error(reply.message));
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadEntry(): URL {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./speaker-thread.${suffix}`, import.meta.url);
}

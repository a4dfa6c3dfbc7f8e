/**
 * BFD as sessions see it: a handle to a thread that does nothing else, so that neither a busy speaker nor a busy main
 * thread makes a peer look gone. The thread starts with the first peer that wants BFD.
 */
import { Worker } from "node:worker_threads";
import type { BfdNews, BfdRequest } from "./bfd-message.ts";
import type { BfdListener, BfdQuestion, BfdWatch } from "./platform.ts";

export class BfdMonitor {
  readonly #listeners = new Map<number, BfdListener>();
  #worker: Worker | null = null;
  #nextId = 1;

  watch(question: BfdQuestion, listener: BfdListener): BfdWatch {
    const id = this.#nextId++;
    this.#listeners.set(id, listener);
    this.#tell({ do: "watch", id, ...question });
    return {
      stop: () => {
        if (this.#listeners.delete(id)) this.#tell({ do: "unwatch", id });
      },
    };
  }

  close(): void {
    if (this.#worker === null) return;
    this.#tell({ do: "close" });
    this.#worker = null;
    this.#listeners.clear();
  }

  #tell(request: BfdRequest): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./bfd-thread.${suffix}`, import.meta.url), { name: "bfd" });
    worker.on("message", ({ id, state, words }: BfdNews) => this.#listeners.get(id)?.(state, words));
    worker.on("error", (error: Error) => {
      if (this.#worker === worker) this.#worker = null;
      for (const listener of this.#listeners.values()) listener("AdminDown", `the thread failed: ${error.message}`);
    });
    return worker;
  }
}

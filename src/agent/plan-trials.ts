/**
 * Plans that are tried beside the one in force, for people who ask what a manifest would change. Each has a thread of its
 * own that is given a copy and has neither sockets nor maps: it can't change anything, and one that never ends, or needs too
 * much memory, is ended. One at a time, so that asking often takes no more than one processor.
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { PlanTrial, TrialRequest } from "./plan-trial.ts";

const PATIENCE_MILLISECONDS = 20_000;
/** Ten thousand Services take a fifth of it. */
const LIMITS = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };

export class PlanTrials {
  #isBusy = false;

  /** @throws Error with a sentence for people. */
  async try(request: TrialRequest): Promise<PlanTrial> {
    if (this.#isBusy) throw new Error("another plan is being tried just now; ask again in a moment");
    this.#isBusy = true;
    try {
      return await tryInThread(request);
    } finally {
      this.#isBusy = false;
    }
  }
}

async function tryInThread(request: TrialRequest): Promise<PlanTrial> {
  const worker = new Worker(threadFile(), { workerData: request, resourceLimits: LIMITS });
  let late: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const seconds = PATIENCE_MILLISECONDS / 1000;
      late = setTimeout(
        () => reject(new Error(`the plan was not made within ${seconds} s, and is given up`)),
        PATIENCE_MILLISECONDS,
      );
      worker.once("message", resolve);
      worker.once("error", ({ message }) => reject(new Error(`the plan could not be made: ${message}`)));
    });
  } finally {
    clearTimeout(late);
    await worker.terminate();
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadFile(): string {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./plan-trial-thread.${suffix}`, import.meta.url));
}

/**
 * Tries a policy in a thread of its own, where a module that throws or never returns does no harm: loads it, checks its
 * options, runs its `create`. That makes the memory of its state, which the workers then share.
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Intent } from "../intent/intent.ts";
import type { StateMemory } from "../policy/shared-state.ts";
import type { HookName } from "./loaded-policy.ts";
import { POLICY_THREAD_LIMITS } from "./thread-limits.ts";

const PATIENCE_MILLISECONDS = 5000;

export interface TryRequest {
  readonly path: string;
  readonly options: unknown;
  /** What an earlier version of the policy has left. */
  readonly known: StateMemory;
  /** Where relative paths of files begin. */
  readonly folder: string;
  /** Files that are none, by `namespace/name/key`. */
  readonly texts: Intent["policyFiles"];
}

export interface TryResult {
  readonly version: string;
  /** With the defaults of the module's schema filled in. */
  readonly options: unknown;
  readonly memory: StateMemory;
  readonly hooks: readonly HookName[];
  /** Files that the state was read from. */
  readonly files: readonly string[];
}

/** @throws Error with a sentence for the operator. */
export async function tryPolicy(request: TryRequest): Promise<TryResult> {
  const worker = new Worker(threadFile(), { workerData: request, resourceLimits: POLICY_THREAD_LIMITS });
  try {
    return await new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`its create() has not returned within ${PATIENCE_MILLISECONDS / 1000} s`)),
        PATIENCE_MILLISECONDS,
      );
      late.unref();
      worker.once("message", (outcome: { result: TryResult } | { error: string }) => {
        clearTimeout(late);
        if ("result" in outcome) resolve(outcome.result);
        else reject(new Error(outcome.error));
      });
      worker.once("error", (error) => reject(new Error(`it ended the thread that tried it: ${error.message}`)));
      worker.once("exit", () => reject(new Error("it ended the thread that tried it")));
    });
  } finally {
    await worker.terminate();
  }
}

/** The thread's file has the suffix of this one: `.ts` from the source tree, `.js` when built. */
function threadFile(): string {
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./try-policy-thread.${suffix}`, import.meta.url));
}

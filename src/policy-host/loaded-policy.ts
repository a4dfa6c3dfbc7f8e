/** A policy as it crosses threads: tried, stored under a name that no other content has, its memory made. */

import type { DirectoryEntry } from "../policy/service-directory.ts";
import type { StateMemory } from "../policy/shared-state.ts";

export interface LoadedPolicy {
  readonly name: string;
  readonly slot: number;
  /** Grows with every change of module, options or files: a worker that has this one keeps its instance. */
  readonly generation: number;
  /** The stored module; `null` when none could ever be loaded, so that `onError` says what happens. */
  readonly path: string | null;
  readonly options: unknown;
  readonly onError: "allow" | "deny";
  readonly memory: StateMemory;
  /** Those that it has. */
  readonly hooks: readonly HookName[];
}

export const HOOK_NAMES = ["onNewFlow", "onTick", "onFlowEnd", "intent"] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/** What a worker needs to ask policies: replaced as a whole, together with the forwarding table. */
export interface PolicyScene {
  /** In the order in which they are asked. */
  readonly policies: readonly LoadedPolicy[];
  readonly services: readonly DirectoryEntry[];
  /** Names by port id. */
  readonly interfaces: readonly string[];
}

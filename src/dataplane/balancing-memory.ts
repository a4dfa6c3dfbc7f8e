/** What workers share to balance: which backends clients keep, and how many flows each backend has. */
import { affinityMemory } from "./affinity-table.ts";
import { backendLoadMemory } from "./backend-load.ts";

export interface BalancingMemory {
  /** An AffinityTable's, */
  readonly affinity: Int32Array;
  /** and a BackendLoad's. */
  readonly load: Int32Array;
}

export function balancingMemory(): BalancingMemory {
  return { affinity: affinityMemory(), load: backendLoadMemory() };
}

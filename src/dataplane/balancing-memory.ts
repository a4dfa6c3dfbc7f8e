/** What workers share to balance: which backends clients keep, and how many flows each backend has. */
export interface BalancingMemory {
  /** An AffinityTable's, */
  readonly affinity: Int32Array;
  /** and a BackendLoad's. */
  readonly load: Int32Array;
}

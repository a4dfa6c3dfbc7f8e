/**
 * Calls of hooks that may throw: errors are counted, and after a burst of them the policy is switched off until it is
 * loaded anew. Before each call the number of the policy is written where the watchdog looks, in case it never returns.
 */
import { STAT, STAT_WORDS } from "./policy-stats.ts";

/** So many errors within so many milliseconds switch a policy off. */
const BURST_ERRORS = 100;
const BURST_MILLISECONDS = 10_000;

/** What calls need of the world around them. */
export interface CallSurroundings {
  /** The monotonic clock, in nanoseconds, in the first element. */
  readonly batchClock: Float64Array;
  /** `policyStatsMemory`. */
  readonly stats: Float64Array;
  /** Word in which the number of the policy being called stands, from 1; 0 when none is. */
  readonly watch: Int32Array;
  readonly watchAt: number;
  /** Told of the first error of a policy, and when it is switched off. */
  readonly onTrouble: (policy: string, message: string, isOff: boolean) => void;
}

interface Callee {
  readonly name: string;
  readonly slot: number;
}

export class GuardedCalls {
  readonly #surroundings: CallSurroundings;
  /** By slot. */
  readonly #bursts = new Map<number, { since: number; errors: number }>();

  constructor(surroundings: CallSurroundings) {
    this.#surroundings = surroundings;
  }

  isOff(policy: Callee): boolean {
    return this.#surroundings.stats[policy.slot * STAT_WORDS + STAT.off] === 1;
  }

  /** A hook of the policy is called from now on. */
  begin(policy: Callee): void {
    this.#surroundings.watch[this.#surroundings.watchAt] = policy.slot + 1;
  }

  /** It has returned, or thrown. */
  end(): void {
    this.#surroundings.watch[this.#surroundings.watchAt] = 0;
  }

  /** It has thrown, or answered what it must not. */
  fail(policy: Callee, error: unknown): void {
    const { stats, onTrouble, batchClock } = this.#surroundings;
    const stat = policy.slot * STAT_WORDS;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const milliseconds = batchClock[0]! / 1e6;
    let burst = this.#bursts.get(policy.slot);
    if (burst === undefined || milliseconds - burst.since > BURST_MILLISECONDS) {
      burst = { since: milliseconds, errors: 0 };
      this.#bursts.set(policy.slot, burst);
    }
    burst.errors++;
    if (stats[stat + STAT.errors] === 0) onTrouble(policy.name, message, false);
    stats[stat + STAT.errors]! += 1;
    if (burst.errors === BURST_ERRORS) {
      stats[stat + STAT.off] = 1;
      onTrouble(policy.name, message, true);
    }
  }
}

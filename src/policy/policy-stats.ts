/** What a policy has answered in one worker, as numbers in shared memory. The main thread adds the workers up. */

const FIELDS = [
  "asked",
  "continued",
  "allowed",
  "denied",
  "backendChosen",
  "serviceChosen",
  "modeSet",
  "captured",
  /** Flows whose end it was told of. */
  "endsTold",
  "errors",
  /** Whether it is switched off, 0 or 1. */
  "off",
  /** Calls that were timed, */
  "timed",
  /** nanoseconds of those, */
  "nanoseconds",
  /** of the longest, */
  "longest",
  /** and how many took longer than the budget. */
  "overBudget",
] as const;

export type PolicyStatName = (typeof FIELDS)[number];
export type PolicyStats = Record<PolicyStatName, number>;

/** Index of each field in a policy's part of the memory. */
export const STAT = Object.fromEntries(FIELDS.map((name, index) => [name, index])) as Readonly<PolicyStats>;

export const STAT_WORDS = 16;

/** By policy number. */
export function policyStatsMemory(policies: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(policies * STAT_WORDS * Float64Array.BYTES_PER_ELEMENT));
}

/** @param workers the memory of each worker. @param index of the policy. */
export function sumPolicyStats(workers: readonly Float64Array[], index: number): PolicyStats {
  const of = (name: PolicyStatName) => workers.map((words) => words[index * STAT_WORDS + STAT[name]]!);
  return Object.fromEntries(
    FIELDS.map((name) => [
      name,
      name === "off" || name === "longest" ? Math.max(0, ...of(name)) : of(name).reduce((sum, value) => sum + value, 0),
    ]),
  ) as PolicyStats;
}

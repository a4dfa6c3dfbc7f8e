/**
 * The memory of a thread that runs policy modules, so that one which takes ever more ends its thread and not the process.
 *
 * V8 gives a thread at its limit 16 MB more, to come to an end in. A young generation smaller than that keeps one
 * collection from needing more; the flag in bin/sluice, which overrides the one here, means the same size. A single
 * allocation of more than that at the limit would still end the process; the limit is so high that what allocates so much
 * at once runs into another one first: a Map has at most 2^24 entries.
 */
export const POLICY_THREAD_LIMITS = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16 } as const;

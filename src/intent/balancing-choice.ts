/** How new flows find a backend, in the words of Cilium's settings and our own. */

/**
 * - `maglev`: by the flow's hash, the same on every node.
 * - `random`: by chance, in shares that follow the weights.
 * - `least-connections`: the backend with the fewest flows for its weight.
 */
export const BALANCING_CHOICES = ["maglev", "random", "least-connections"] as const;
export type BalancingChoice = (typeof BALANCING_CHOICES)[number];

/** Kubernetes' default for `sessionAffinity: ClientIP`. */
export const DEFAULT_AFFINITY_SECONDS = 10_800;

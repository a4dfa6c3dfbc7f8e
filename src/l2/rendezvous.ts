/**
 * Who should own an address that nobody owns: of the candidates that own least, the one that hashes highest with it.
 *
 * Rendezvous hashing (Thaler and Ravishankar, 1998) alone spreads as dice do; the bound on the load is the tightest there
 * is, so owners of addresses with equal candidates differ by at most one. Every node computes the same from the same
 * facts. Pure.
 */

export interface Unowned {
  readonly vip: string;
  /** Names of the nodes that may own it. */
  readonly candidates: readonly string[];
}

/**
 * @param load addresses owned by node so far; it is raised by what is given here.
 * @returns the owner by address; addresses without candidates are left out.
 */
export function assignOwners(unowned: readonly Unowned[], load: Map<string, number>): Map<string, string> {
  const owners = new Map<string, string>();
  // The order is part of the agreement: nodes that learned of the addresses in another order must not differ.
  for (const { vip, candidates } of unowned.toSorted((a, b) => (a.vip < b.vip ? -1 : 1))) {
    const owner = leastLoaded(vip, candidates, load);
    if (owner === null) continue;
    owners.set(vip, owner);
    load.set(owner, (load.get(owner) ?? 0) + 1);
  }
  return owners;
}

/** `null` without candidates. */
export function leastLoaded(
  vip: string,
  candidates: readonly string[],
  load: ReadonlyMap<string, number>,
): string | null {
  let best: string | null = null;
  let bestLoad = 0;
  let bestWeight = 0;
  for (const node of candidates) {
    const nodeLoad = load.get(node) ?? 0;
    if (best !== null && nodeLoad > bestLoad) continue;
    const weight = rendezvousWeight(vip, node);
    // Equal weights are nearly impossible; the name decides then.
    const wins = best === null || nodeLoad < bestLoad || weight > bestWeight || (weight === bestWeight && node < best);
    if (!wins) continue;
    best = node;
    bestLoad = nodeLoad;
    bestWeight = weight;
  }
  return best;
}

/** How much a node is meant for an address: 32 bits, the same on every machine. */
export function rendezvousWeight(vip: string, node: string): number {
  return mix(absorb(absorb(0x9e3779b9, node), vip));
}

/** The characters of a text and its end, into a running hash (FNV-1a's step, with a larger odd multiplier). */
function absorb(hash: number, text: string): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x85ebca6b);
  return Math.imul(hash ^ 0x10000 ^ text.length, 0xc2b2ae35);
}

/** Makes every bit of the result depend on every bit of the hash (the finalizer of MurmurHash3). */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

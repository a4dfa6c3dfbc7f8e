/**
 * Announced and seen: addresses that other nodes own are asked for on the link now and then, each by one node alone. One
 * that its owner's MAC does not answer for, three times in a row, is said to be unseen.
 */
const ROUND_MILLISECONDS = 10_000;
const AGAIN_MILLISECONDS = 500;
const ATTEMPTS = 3;
/** Questions each time that this is asked, at each heartbeat while there are more. */
const MOST_AT_ONCE = 20;

interface Probe {
  askedAt: number;
  attempts: number;
}

export class WireProof {
  #round: string[] = [];
  #nextRound = 0;
  readonly #open = new Map<string, Probe>();
  readonly #unseen = new Set<string>();

  get unseen(): readonly string[] {
    return [...this.#unseen].sort();
  }

  /** When to ask again. */
  get next(): number {
    if (this.#round.length > 0) return Number.NEGATIVE_INFINITY;
    if (this.#open.size === 0) return this.#nextRound;
    return Math.min(...[...this.#open.values()].map(({ askedAt }) => askedAt)) + AGAIN_MILLISECONDS;
  }

  /** @param mine the addresses that this node is to prove now. @returns those to ask for. */
  due(mine: () => readonly string[], now: number): string[] {
    if (now >= this.#nextRound && this.#round.length === 0 && this.#open.size === 0) {
      this.#nextRound = now + ROUND_MILLISECONDS;
      this.#round = [...mine()];
      for (const vip of this.#unseen) if (!this.#round.includes(vip)) this.#unseen.delete(vip);
    }
    const asked: string[] = [];
    for (const [vip, probe] of this.#open) {
      if (now - probe.askedAt < AGAIN_MILLISECONDS) continue;
      if (probe.attempts === ATTEMPTS) {
        this.#open.delete(vip);
        this.#unseen.add(vip);
        continue;
      }
      probe.askedAt = now;
      probe.attempts++;
      asked.push(vip);
    }
    for (const vip of this.#round.splice(0, MOST_AT_ONCE)) {
      this.#open.set(vip, { askedAt: now, attempts: 1 });
      asked.push(vip);
    }
    return asked;
  }

  /** The owner has answered for it. */
  seen(vip: string): void {
    this.#open.delete(vip);
    this.#unseen.delete(vip);
  }

  /** It has another owner, who is asked in the next round. */
  forget(vip: string): void {
    this.seen(vip);
  }
}

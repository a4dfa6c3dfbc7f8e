/**
 * Somebody else says on the link that an address is his (RFC 5227 §2.4). A stranger is answered by an announcement of our
 * own, however often he comes back: a mistake must not take a Service down. A node of ours whose heartbeats do not reach us
 * is as right as we are, so one of the two gives up: the one with the larger MAC.
 */
const DEFEND_MILLISECONDS = 1000;
/** For so long after yielding, an address is not owned here. */
const YIELD_MILLISECONDS = 10_000;

export interface Conflict {
  readonly ours: number;
  readonly theirs: number;
  /** The other MAC is that of a node of the cluster. */
  readonly isMember: boolean;
}

export class ConflictJudge {
  readonly #defended = new Map<string, number>();
  readonly #yielded = new Map<string, number>();

  /** `null` where nothing is to be done now. */
  judge(vip: string, { ours, theirs, isMember }: Conflict, now: number): "defended" | "yielded" | null {
    const last = this.#defended.get(vip) ?? Number.NEGATIVE_INFINITY;
    if (now - last < DEFEND_MILLISECONDS) return null;
    // The first time may be the last frame of somebody who has just gone.
    const isSecond = now - last < 10 * DEFEND_MILLISECONDS;
    if (isMember && isSecond && ours > theirs) {
      this.#yielded.set(vip, now + YIELD_MILLISECONDS);
      return "yielded";
    }
    this.#defended.set(vip, now);
    return "defended";
  }

  hasYielded(vip: string, now: number): boolean {
    const until = this.#yielded.get(vip);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#yielded.delete(vip);
    return false;
  }
}

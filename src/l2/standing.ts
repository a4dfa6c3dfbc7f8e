/**
 * How far this node's view can be acted on. Who has just begun, or was alone without its link, listens before it claims
 * anything: others may have it. What is claimed where less than half of the members are heard is weak, and for a while after
 * that too: whoever comes from a smaller part hears first what the larger one claims. Pure.
 */
import type { Roll } from "./roll.ts";
import { listeningMilliseconds, type Timing } from "./timing.ts";

export class Standing {
  readonly #roll: Roll;
  readonly #timing: Timing;
  #isListening = true;
  #listenUntil: number;
  /** Since when most are heard; infinity for not now. */
  #strongSince = Number.POSITIVE_INFINITY;
  #isSettled = false;

  constructor(roll: Roll, timing: Timing, now: number) {
    this.#roll = roll;
    this.#timing = timing;
    this.#listenUntil = now + listeningMilliseconds(timing);
  }

  /** It is not ready: it claims nothing of its own accord. */
  get isListening(): boolean {
    return this.#isListening;
  }

  /** Most of the members are heard. */
  get isStrong(): boolean {
    return this.#strongSince !== Number.POSITIVE_INFINITY;
  }

  /** Strong, and what was claimed before that need no longer be weak. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Time alone will change it. */
  get isPassing(): boolean {
    return this.#isListening || (this.isStrong && !this.#isSettled);
  }

  listenAnew(now: number): void {
    this.#listenUntil = now + listeningMilliseconds(this.#timing);
  }

  /** Looks who is heard. @returns whether it has begun or ended to listen. */
  review(ownsNothing: boolean, now: number): boolean {
    if (!this.#roll.hearsMost()) this.#strongSince = Number.POSITIVE_INFINITY;
    else if (!this.isStrong) this.#strongSince = now;
    const hasHeard = this.#strongSince <= now - listeningMilliseconds(this.#timing);
    this.#isSettled = this.isStrong && (hasHeard || ownsNothing);
    const isListening = now < this.#listenUntil && this.#roll.living().length < this.#roll.members.size;
    const isOther = isListening !== this.#isListening;
    this.#isListening = isListening;
    return isOther;
  }
}

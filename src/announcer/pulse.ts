/**
 * The timer by which time is told: set for the next moment at which anything is due, whatever that is, so that a thread with
 * nothing to do is left asleep. It is never early: whoever is told the time has something to do then.
 */
export class Pulse {
  readonly #next: (now: number) => number;
  readonly #tick: () => void;
  #timer: NodeJS.Timeout | null = null;
  #firesAt = Number.POSITIVE_INFINITY;
  #isTicking = false;
  #hasEnded = false;

  /** @param next when something is due, by `performance.now()`, as far as is known at the time given. */
  constructor(next: (now: number) => number, tick: () => void) {
    this.#next = next;
    this.#tick = tick;
  }

  /** Begins; or goes on, since something has happened that may have made something due sooner. */
  follow(): void {
    // What happens in a tick is asked for once, after all of it.
    if (this.#isTicking || this.#hasEnded) return;
    const now = performance.now();
    const at = this.#next(now);
    // A timer that fires sooner than it has to asks anew.
    if (at >= this.#firesAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#firesAt = at;
    // Node counts from the last full millisecond.
    this.#timer = setTimeout(() => this.fire(), Math.ceil(Math.max(at - now, 0)) + 1);
  }

  /** Tells the time now. */
  fire(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#firesAt = Number.POSITIVE_INFINITY;
    this.#isTicking = true;
    this.#tick();
    this.#isTicking = false;
    this.follow();
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

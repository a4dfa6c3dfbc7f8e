/** The timer by which time is told to the agreement: faster while something is to be settled. */
import { type Timing, tickMilliseconds } from "../l2/timing.ts";

export class Pulse {
  readonly #timing: Timing;
  readonly #tick: () => void;
  #milliseconds = 0;
  #timer: NodeJS.Timeout | null = null;
  #hasEnded = false;

  constructor(timing: Timing, tick: () => void) {
    this.#timing = timing;
    this.#tick = tick;
  }

  /** Begins, or goes on, faster or slower. */
  follow(isRestless: boolean): void {
    const milliseconds = tickMilliseconds(this.#timing, isRestless);
    if (milliseconds === this.#milliseconds || this.#hasEnded) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#milliseconds = milliseconds;
    this.#timer = setInterval(this.#tick, milliseconds);
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#timer !== null) clearInterval(this.#timer);
  }
}

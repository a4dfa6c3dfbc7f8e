/** When to try again what has failed: after a second, and each time that it fails once more twice as late, up to a minute. */
const FIRST_MILLISECONDS = 1000;
const LONGEST_MILLISECONDS = 60_000;

export class Retry {
  #pause = FIRST_MILLISECONDS;
  #timer: NodeJS.Timeout | null = null;

  later(act: () => void): void {
    this.cancel();
    this.#timer = setTimeout(act, this.#pause).unref();
    this.#pause = Math.min(this.#pause * 2, LONGEST_MILLISECONDS);
  }

  /** Something else is tried, or nothing any more. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  succeeded(): void {
    this.#pause = FIRST_MILLISECONDS;
  }
}

/** The kernel's own limit on the new flows of one source, as policies see it: a word in shared memory that is looked at. */
export class SourceLimit {
  static readonly words = 1;
  readonly #words: Int32Array;

  /** @param words shared memory of `SourceLimit.words`, 0 at first. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** What this policy asks for; 0 for nothing. */
  get perSecond(): number {
    return Atomics.load(this.#words, 0);
  }

  /**
   * From about a quarter of a second on, XDP drops what a source opens beyond so many flows a second, before a worker sees
   * it: at all addresses that are served. Of several limits the lowest holds. 0 takes it back.
   */
  set(perSecond: number): void {
    if (!Number.isInteger(perSecond) || perSecond < 0 || perSecond > 1e6) {
      throw new RangeError(`a source may open 0 (no limit) to 1000000 flows a second; got ${perSecond}`);
    }
    Atomics.store(this.#words, 0, perSecond);
  }
}

/** Under which name a policy's memory has it. */
export const SOURCE_LIMIT = "source limit";

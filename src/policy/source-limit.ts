/**
 * The kernel's own limit on the new flows of one source, as policies see it: words in shared memory that the main thread
 * looks at and fills in.
 */
import { Counter } from "./counter.ts";

const ASKED = 0;
const REFUSED = 1;

export class SourceLimit {
  static readonly words = REFUSED + Counter.words;
  readonly #words: Int32Array;
  readonly #refused: Counter;

  /** @param words shared memory of `SourceLimit.words`, 0 at first. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#refused = new Counter(words.subarray(REFUSED));
  }

  /** What this policy asks for; 0 for nothing. */
  get perSecond(): number {
    return Atomics.load(this.#words, ASKED);
  }

  /**
   * From about a quarter of a second on, XDP drops what a source opens beyond so many flows a second, before a worker sees
   * it: at all addresses that are served. Of several limits the lowest holds. 0 takes it back.
   */
  set(perSecond: number): void {
    if (!Number.isInteger(perSecond) || perSecond < 0 || perSecond > 1e6) {
      throw new RangeError(`a source may open 0 (no limit) to 1000000 flows a second; got ${perSecond}`);
    }
    Atomics.store(this.#words, ASKED, perSecond);
  }

  /** New flows that were beyond the limit, whoever's it is, since the policy was loaded first: it was asked about none. */
  get refused(): number {
    return this.#refused.value;
  }
}

/** Under which name a policy's memory has it. */
export const SOURCE_LIMIT = "source limit";

/** The other side. @param refused how many more than were told before, below 2^31. */
export function fillSourceLimit(words: Int32Array, refused: number): void {
  if (refused > 0) new Counter(words.subarray(REFUSED)).add(refused);
}

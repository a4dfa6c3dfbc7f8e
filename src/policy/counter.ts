/** A counter that all workers add to, exact to 2^53. */

const LOW = 0;
const HIGH = 1;

export class Counter {
  static readonly words = 2;
  readonly #words: Int32Array;

  /** @param words shared memory of `Counter.words`, zero at first. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** @param amount 0 .. 2^31 - 1. */
  add(amount: number): void {
    const before = Atomics.add(this.#words, LOW, amount) >>> 0;
    if (before + amount > 0xffffffff) Atomics.add(this.#words, HIGH, 1);
  }

  get value(): number {
    for (;;) {
      const high = Atomics.load(this.#words, HIGH);
      const low = Atomics.load(this.#words, LOW) >>> 0;
      if (Atomics.load(this.#words, HIGH) === high) return (high >>> 0) * 0x100000000 + low;
    }
  }
}

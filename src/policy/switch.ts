/** Something that the gateway does while a policy has it on: a word in shared memory, which the main thread looks at. */

/** `syn-protection`: the kernel's own limits on new flows (agent/protection.ts). */
export const SWITCH_NAMES = ["syn-protection"] as const;
export type SwitchName = (typeof SWITCH_NAMES)[number];

export class Switch {
  static readonly words = 1;
  readonly #words: Int32Array;

  /** @param words shared memory of `Switch.words`, off at first. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  get isOn(): boolean {
    return Atomics.load(this.#words, 0) !== 0;
  }

  set(isOn: boolean): void {
    Atomics.store(this.#words, 0, isOn ? 1 : 0);
  }
}

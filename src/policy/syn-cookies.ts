/**
 * The door's SYN cookies, as policies see them: words in shared memory that the main thread looks at and fills in. Where
 * there is no door, as in a replay, nobody does.
 */
import { Counter } from "./counter.ts";

const WANTED = 0;
const STATE = 1;
const QUESTIONS = 2;
/** In the order of their numbers: what nobody has filled in says that nobody is there. */
const STATES = ["unavailable", "off", "on"] as const;

export class SynCookies {
  static readonly words = QUESTIONS + Counter.words;
  readonly #words: Int32Array;
  readonly #questions: Counter;

  /** @param words shared memory of `SynCookies.words`, 0 at first. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#questions = new Counter(words.subarray(QUESTIONS));
  }

  /** Whether this policy asks for them. */
  get wanted(): boolean {
    return Atomics.load(this.#words, WANTED) === 1;
  }

  /**
   * From about a quarter of a second on, XDP answers a SYN of who has not been here lately itself, and lets it in when it
   * comes again: at all addresses that are served, for all who ask for it. false takes it back.
   */
  want(wanted: boolean): void {
    if (typeof wanted !== "boolean") throw new TypeError(`SYN cookies are wanted or not: true or false; got ${wanted}`);
    Atomics.store(this.#words, WANTED, wanted ? 1 : 0);
  }

  /** Whether they are in force, whoever has asked; `unavailable` where there is no door that could have any. */
  get state(): (typeof STATES)[number] {
    return STATES[Atomics.load(this.#words, STATE)]!;
  }

  /** SYNs that have met them since the policy was loaded first: no policy is asked about these. */
  get questions(): number {
    return this.#questions.value;
  }
}

/** Under which name a policy's memory has it. */
export const SYN_COOKIES = "syn cookies";

/** The other side. @param questions how many more than were told before, below 2^31. */
export function fillSynCookies(words: Int32Array, areOn: boolean, questions: number): void {
  Atomics.store(words, STATE, STATES.indexOf(areOn ? "on" : "off"));
  if (questions > 0) new Counter(words.subarray(QUESTIONS)).add(questions);
}

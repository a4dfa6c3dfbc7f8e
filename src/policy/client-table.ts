/**
 * Words for each client, shared between workers and bounded: when a set is full, the client that was not seen for
 * longest gives way.
 *
 *   set    | lock | clock | 8 x way |            by the client's keyed hash, so nobody can choose to meet in one set
 *   way    | address 4 | last seen | used | words of the module's own |
 *
 * A set is worked on under its lock: a few dozen instructions. A thread that dies with a lock in its hand (a hook that
 * never returned, ended by the watchdog) must not stop the others, so a lock is taken over after many tries.
 */
import { ADDRESS_WORDS, copyAddress, sameAddress } from "../wire/raw.ts";
import type { FlowAddress } from "./define-policy.ts";

const WAYS = 8;
const SET_HEADER = 2;
const LOCK = 0;
const CLOCK = 1;
const WAY_SEEN = ADDRESS_WORDS;
const WAY_USED = ADDRESS_WORDS + 1;
const WAY_HEADER = ADDRESS_WORDS + 2;
/** Some ten milliseconds: nobody holds a lock for that long and lives. */
const LOCK_TRIES = 1_000_000;
/** Values of a client's hash. */
const HASHES = 2 ** 31;

export class ClientTable {
  /** The words of all clients; those of one begin where `enter` says. */
  readonly words: Int32Array;
  /** Sets for each value of a hash: a product costs less than a remainder. */
  readonly #setsPerHash: number;
  readonly #wayWords: number;
  readonly #setWords: number;
  /** Where the set begins that is locked. */
  #entered = 0;

  /** Words of shared memory for so many clients with so many words each. */
  static memoryWords(clients: number, words: number): number {
    return setsFor(clients) * (SET_HEADER + WAYS * (WAY_HEADER + words));
  }

  constructor(memory: Int32Array, words: number) {
    this.words = memory;
    this.#wayWords = WAY_HEADER + words;
    this.#setWords = SET_HEADER + WAYS * this.#wayWords;
    this.#setsPerHash = memory.length / this.#setWords / HASHES;
  }

  /**
   * Finds the client's words, or makes some of zeros, and locks their set until `leave`. Nothing else may be entered
   * before that.
   * @returns index of the client's first word in `words`.
   */
  enter(client: FlowAddress): number {
    const { words } = this;
    const set = this.#setOf(client);
    this.#entered = set;
    for (let tries = 0; Atomics.compareExchange(words, set + LOCK, 0, 1) !== 0 && tries < LOCK_TRIES; tries++);
    const clock = ++words[set + CLOCK]!;
    let victim = set + SET_HEADER;
    for (let way = 0; way < WAYS; way++) {
      const at = set + SET_HEADER + way * this.#wayWords;
      if (words[at + WAY_USED] === 0) {
        victim = at;
        break;
      }
      if (sameAddress(words, at, client.words, client.at)) {
        words[at + WAY_SEEN] = clock;
        return at + WAY_HEADER;
      }
      // Distances rather than values: the clock may wrap.
      if (((clock - words[at + WAY_SEEN]!) | 0) > ((clock - words[victim + WAY_SEEN]!) | 0)) victim = at;
    }
    copyAddress(words, victim, client.words, client.at);
    words[victim + WAY_SEEN] = clock;
    words[victim + WAY_USED] = 1;
    // A loop, for they are few: a call of `fill` costs more than the rest of this function.
    for (let word = victim + WAY_HEADER; word < victim + this.#wayWords; word++) words[word] = 0;
    return victim + WAY_HEADER;
  }

  /**
   * Where the words of a client begin that is there already; -1 when it isn't. Takes no lock: another client may take its
   * place at any moment.
   */
  find(client: FlowAddress): number {
    return this.#findIn(this.#setOf(client), client);
  }

  /** The same, and the client has been seen. */
  see(client: FlowAddress): number {
    const { words } = this;
    const set = this.#setOf(client);
    const at = this.#findIn(set, client);
    if (at >= 0) words[at - WAY_HEADER + WAY_SEEN] = ++words[set + CLOCK]!;
    return at;
  }

  /** Unlocks what `enter` locked. */
  leave(): void {
    Atomics.store(this.words, this.#entered + LOCK, 0);
  }

  #findIn(set: number, client: FlowAddress): number {
    const { words } = this;
    for (let way = 0; way < WAYS; way++) {
      const at = set + SET_HEADER + way * this.#wayWords;
      if (words[at + WAY_USED] === 0) return -1;
      if (sameAddress(words, at, client.words, client.at)) return at + WAY_HEADER;
    }
    return -1;
  }

  #setOf(client: FlowAddress): number {
    return ((client.hash * this.#setsPerHash) | 0) * this.#setWords;
  }
}

function setsFor(clients: number): number {
  return Math.max(1, Math.ceil(clients / WAYS));
}

/**
 * The note that workers leave for the main thread: "a frame needs the MAC of this next hop". A small ring in shared
 * memory, many writers, one reader; when it is full a request is lost, and the next frame asks again.
 *
 *   word 0 written   1 read   2 entries that are whole   then entries [address (wire/raw.ts), port + 1: 0 while it is being written]
 */
import { ADDRESS_WORDS, copyAddress } from "../wire/raw.ts";

const ENTRIES = 64;
const ENTRY_WORDS = ADDRESS_WORDS + 1;
const HEADER = 3;
/** The word that changes, and at which who waits is woken, with every request. */
const WHOLE = 2;

export class NeighborRequests {
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer((HEADER + ENTRIES * ENTRY_WORDS) * 4))) {
    this.words = words;
  }

  ask(address: Int32Array, at: number, port: number): void {
    const words = this.words;
    if (Atomics.load(words, 0) - Atomics.load(words, 1) >= ENTRIES) return;
    const entry = HEADER + (Atomics.add(words, 0, 1) & (ENTRIES - 1)) * ENTRY_WORDS;
    copyAddress(words, entry, address, at);
    Atomics.store(words, entry + ADDRESS_WORDS, port + 1);
    Atomics.add(words, WHOLE, 1);
    Atomics.notify(words, WHOLE);
  }

  /** How many requests there have been. Taken before `drain`, it lets `next` miss none that comes in between the two. */
  get count(): number {
    return Atomics.load(this.words, WHOLE);
  }

  /** Resolves when there have been more, or at `wake`: who has nothing to do is not run. */
  async next(count: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.words, WHOLE, count);
    if (waiting.async) await waiting.value;
  }

  /** Ends the waiting of `next`. */
  wake(): void {
    Atomics.add(this.words, WHOLE, 1);
    Atomics.notify(this.words, WHOLE);
  }

  /** Calls `resolve` for each request since the last call, with the place of its address in `words`. */
  drain(resolve: (addressAt: number, port: number) => void): void {
    const words = this.words;
    const written = Atomics.load(words, 0);
    let next = Atomics.load(words, 1);
    for (; next !== written; next = (next + 1) | 0) {
      const entry = HEADER + (next & (ENTRIES - 1)) * ENTRY_WORDS;
      const port = Atomics.exchange(words, entry + ADDRESS_WORDS, 0);
      if (port === 0) break;
      resolve(entry, port - 1);
    }
    Atomics.store(words, 1, next);
  }
}

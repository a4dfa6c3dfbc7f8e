/**
 * The note that workers leave for the main thread: "a frame needs the MAC of this next hop". A small ring in shared
 * memory, many writers, one reader; when it is full a request is lost, and the next frame asks again.
 *
 *   word 0 written   1 read   then entries [address (raw), port]
 */

const ENTRIES = 64;

export class NeighborRequests {
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer((2 + ENTRIES * 2) * 4))) {
    this.words = words;
  }

  ask(address: number, port: number): void {
    const words = this.words;
    if (Atomics.load(words, 0) - Atomics.load(words, 1) >= ENTRIES) return;
    const at = 2 + (Atomics.add(words, 0, 1) & (ENTRIES - 1)) * 2;
    words[at + 1] = port;
    Atomics.store(words, at, address);
  }

  /** Calls `resolve` for each request since the last call. */
  drain(resolve: (address: number, port: number) => void): void {
    const words = this.words;
    const written = Atomics.load(words, 0);
    for (let next = Atomics.load(words, 1); next !== written; next = (next + 1) | 0) {
      const at = 2 + (next & (ENTRIES - 1)) * 2;
      resolve(Atomics.load(words, at), words[at + 1]!);
    }
    Atomics.store(words, 1, written);
  }
}

/**
 * How many live flows each backend of each VIP has, for balancing by connections. Counted by all workers and by the sweep
 * that ends flows, in shared memory; by few bits of the owner word, so two backends may share a count: they then look
 * busier than they are.
 */
const PLACE_BITS = 16;

export class BackendLoad {
  readonly words: Int32Array;

  constructor(words: Int32Array = backendLoadMemory()) {
    this.words = words;
  }

  /** @param owner VIP id << 16 | backend id. */
  flows(owner: number): number {
    return Math.max(0, Atomics.load(this.words, placeOf(owner)));
  }

  /** Live flows of all backends. */
  total(): number {
    return this.words.reduce((sum, flows) => sum + flows, 0);
  }

  opened(owner: number): void {
    Atomics.add(this.words, placeOf(owner), 1);
  }

  ended(owner: number): void {
    Atomics.sub(this.words, placeOf(owner), 1);
  }
}

function backendLoadMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 << PLACE_BITS));
}

function placeOf(owner: number): number {
  return Math.imul(owner, 0x9e3779b1) >>> (32 - PLACE_BITS);
}

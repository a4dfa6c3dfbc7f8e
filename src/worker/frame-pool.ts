/**
 * The free frames of a worker's frame memory: a stack of their addresses. A frame is here, or in one ring, or in the
 * batch; never in two of them.
 */
export class FramePool {
  readonly #addresses: Int32Array;
  readonly #frameMask: number;
  #count: number;

  /** @param frameSize bytes, a power of two. */
  constructor(frameCount: number, frameSize: number) {
    this.#addresses = Int32Array.from({ length: frameCount }, (_, frame) => frame * frameSize);
    this.#frameMask = ~(frameSize - 1);
    this.#count = frameCount;
  }

  get count(): number {
    return this.#count;
  }

  /** Address of a free frame; the caller has looked at `count`. */
  take(): number {
    return this.#addresses[--this.#count]!;
  }

  /** Takes a frame back by any address inside it. */
  give(address: number): void {
    this.#addresses[this.#count++] = address & this.#frameMask;
  }
}

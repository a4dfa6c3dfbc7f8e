/**
 * How far the workers are behind, queue by queue: the map `queues` of native/bpf/pressure.h. XDP counts the frames that it
 * gives to a socket, the worker those that it takes; XDP judges by the difference.
 */
const WORDS = 16;
const OFFERED = 0;
const TAKEN = 1;
const REASON = 3;
const PRESSED_AT = 6;
const SINCE = 8;
/** CALM_NANOSECONDS of native/bpf/pressure.h. */
const CALM_MILLISECONDS = 2000;

/** Why XDP opens the flows of a queue itself; PRESSURE_* of native/bpf/pressure.h, less none. */
export const PRESSURES = ["behind", "stalled", "gone"] as const;
export type Pressure = (typeof PRESSURES)[number];

export interface QueuePressure {
  readonly pressure: Pressure;
  /** Milliseconds of the monotonic clock. */
  readonly since: number;
}

export class PressureMap {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** The worker of a queue has taken frames out of its ring. */
  took(queue: number, frames: number): void {
    this.#words[queue * WORDS + TAKEN]! += frames;
  }

  /** It has found its ring empty: what was offered and is not there the kernel has lost. */
  caughtUp(queue: number): void {
    const at = queue * WORDS;
    if (this.#words[at + TAKEN] !== this.#words[at + OFFERED]) this.#words[at + TAKEN] = this.#words[at + OFFERED]!;
  }

  /** @param now milliseconds of the monotonic clock. @returns `null` while the worker opens the queue's flows. */
  read(queue: number, now: number): QueuePressure | null {
    const at = queue * WORDS;
    const reason = this.#words[at + REASON]!;
    // XDP looks at the clock only when a frame comes.
    if (reason === 0 || now - this.#milliseconds(at + PRESSED_AT) > CALM_MILLISECONDS) return null;
    return { pressure: PRESSURES[reason - 1]!, since: this.#milliseconds(at + SINCE) };
  }

  #milliseconds(at: number): number {
    return ((this.#words[at]! >>> 0) + (this.#words[at + 1]! >>> 0) * 0x100000000) / 1e6;
  }
}

/**
 * What a worker waits with. Nothing here allocates, so that a polling worker never collects garbage.
 */
import { type NativeEventFd, native } from "./native.ts";

/** Words per entry of `poll`: descriptor, events asked for, events found. */
export const POLL_WORDS = 3;
export const POLLIN = 1;
export const POLLOUT = 4;

/**
 * poll(2) on the first `count` entries; writes the third word of each. Returns how many are ready: 0 after the timeout
 * or a signal. Blocks the thread; a negative timeout waits for ever.
 */
export function poll(entries: Int32Array, count: number, timeoutMilliseconds: number): number {
  return native.poll(entries, count, timeoutMilliseconds);
}

/** Nanoseconds of the monotonic clock (the one of BPF's bpf_ktime_get_ns) into element 0. */
export function monotonic(into: Float64Array): void {
  native.monotonic(into);
}

/** Whole seconds of a clock that `monotonic` has read, as flow rows and tables have them. */
export function wholeSeconds(clock: Float64Array): number {
  return (clock[0]! / 1e9) | 0;
}

/**
 * Lets whoever waits for this core go first (sched_yield(2)), and returns at once where nobody does. For work that has
 * time: the scheduler leaves the receiver of a packet waiting until a thread has had its turn, even beside an idle core.
 */
export function giveWay(): void {
  native.giveWay();
}

/**
 * Wakes an `EventFd` from any thread of the process by its number. The owner closes it only after those who signal it
 * have stopped: the number may be another file's by then.
 */
export function signalEvent(fd: number): void {
  native.signalEvent(fd);
}

/** Clears an `EventFd` from any thread, by its number. */
export function clearEvent(fd: number): void {
  native.clearEvent(fd);
}

/** An event that a poll can wait for: readable from a signal until it is cleared. */
export class EventFd {
  readonly fd: number;
  readonly #native: NativeEventFd;
  #closed = false;

  constructor() {
    this.#native = new native.EventFd();
    this.fd = this.#native.fd();
  }

  signal(): void {
    if (!this.#closed) native.signalEvent(this.fd);
  }

  clear(): void {
    if (!this.#closed) native.clearEvent(this.fd);
  }

  close(): void {
    this.#closed = true;
    this.#native.close();
  }
}

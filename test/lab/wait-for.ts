/**
 * Waiting for something outside this process. The timeout's message says what was awaited and what was seen last, so
 * that a failed run can be read without running it again.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly timeoutSeconds?: number;
  readonly everyMilliseconds?: number;
  /** Shown when time is up: the state of the thing awaited. */
  readonly seen?: () => unknown;
}

/** The first truthy answer of `probe`; an answer thrown counts as "not yet" and is kept for the message. */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutSeconds = 10, everyMilliseconds = 50, seen }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  let lastError: Error | null = null;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      lastError = null;
    } catch (error) {
      lastError = error as Error;
    }
    if (performance.now() >= deadline) break;
    await sleep(everyMilliseconds);
  }
  const details = [lastError?.message, seen === undefined ? null : JSON.stringify(seen())].filter(Boolean);
  throw new Error([`waited ${timeoutSeconds} s for ${what}`, ...details].join("; seen last: "));
}

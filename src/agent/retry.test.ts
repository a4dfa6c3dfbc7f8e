import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Retry } from "./retry.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("what fails again and again is tried after 1, 2, 4 seconds, at last every minute, and anew after a success", () => {
  const retry = new Retry();
  const pauses: number[] = [];
  const fail = () => {
    const from = Date.now();
    retry.later(() => {
      pauses.push((Date.now() - from) / 1000);
      if (pauses.length < 9) fail();
    });
  };
  fail();
  vi.advanceTimersByTime(1_000_000);
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  retry.succeeded();
  fail();
  vi.advanceTimersByTime(1000);
  expect(pauses.at(-1)).toBe(1);
});

test("what has been cancelled is not tried", () => {
  const retry = new Retry();
  const act = vi.fn();
  retry.later(act);
  retry.cancel();
  vi.advanceTimersByTime(100_000);
  expect(act).not.toHaveBeenCalled();
});

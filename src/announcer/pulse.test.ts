import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEFAULT_TIMING } from "../l2/timing.ts";
import { Pulse } from "./pulse.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("time is told each 100 ms at rest and each 50 ms while something is to be settled, and never after the end", () => {
  let ticks = 0;
  const pulse = new Pulse(DEFAULT_TIMING, () => ticks++);
  const during = (milliseconds: number) => {
    const before = ticks;
    vi.advanceTimersByTime(milliseconds);
    return ticks - before;
  };
  expect(during(1000)).toBe(0);
  pulse.follow(false);
  expect(during(1000)).toBe(10);
  pulse.follow(true);
  expect(during(1000)).toBe(20);
  for (let step = 0; step < 100; step++) pulse.follow(true);
  expect(during(1000)).toBe(20);
  pulse.end();
  pulse.follow(false);
  expect(during(1000)).toBe(0);
});

test("of faster heartbeats there are two ticks each", () => {
  let ticks = 0;
  const pulse = new Pulse({ ...DEFAULT_TIMING, heartbeatMilliseconds: 50 }, () => ticks++);
  pulse.follow(false);
  vi.advanceTimersByTime(1000);
  expect(ticks).toBe(40);
  pulse.end();
});

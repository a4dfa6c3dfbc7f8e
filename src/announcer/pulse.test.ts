import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pulse } from "./pulse.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Something that is due at each of some moments, and the moments in which time was told. */
function played(due: number[]) {
  const told: number[] = [];
  const begin = performance.now();
  const pulse = new Pulse(
    () => begin + (due[0] ?? Number.POSITIVE_INFINITY),
    () => {
      const now = performance.now() - begin;
      told.push(now);
      while (due[0] !== undefined && due[0] <= now) due.shift();
    },
  );
  return { pulse, told };
}

test("time is told when something is due, never before and at most two milliseconds later", () => {
  const { pulse, told } = played([0, 200, 400.5, 600]);
  pulse.follow();
  vi.advanceTimersByTime(10_000);
  expect(told).toHaveLength(4);
  for (const [index, due] of [0, 200, 400.5, 600].entries()) {
    expect(told[index]).toBeGreaterThanOrEqual(due);
    expect(told[index]).toBeLessThanOrEqual(due + 2);
  }
});

test("what happens meanwhile brings it forward, and never puts it off", () => {
  const due = [500];
  const { pulse, told } = played(due);
  pulse.follow();
  vi.advanceTimersByTime(100);
  due.unshift(150);
  pulse.follow();
  vi.advanceTimersByTime(60);
  expect(told).toEqual([151]);
  due[0] = 700;
  pulse.follow();
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([151, 501, 701]);
});

test("what happens while time is told is followed once, after it", () => {
  let asked = 0;
  const pulse = new Pulse(
    (now) => {
      asked++;
      return now + 99;
    },
    () => {
      for (let step = 0; step < 50; step++) pulse.follow();
    },
  );
  pulse.follow();
  vi.advanceTimersByTime(1000);
  expect(asked).toBe(11);
});

test("time that has passed already is told at once, and after the end none is", () => {
  const { pulse, told } = played([-50, 300]);
  pulse.follow();
  vi.advanceTimersByTime(1);
  expect(told).toEqual([1]);
  pulse.end();
  pulse.follow();
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([1]);
});

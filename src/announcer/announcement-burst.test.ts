import { expect, test } from "vitest";
import { AnnouncementBurst } from "./announcement-burst.ts";

test("an address is announced at once and for five seconds, and not after it was given up", () => {
  const burst = new AnnouncementBurst();
  burst.begin("10.0.5.100", 1000);
  burst.begin("10.0.5.101", 1000);
  const times: number[] = [];
  for (let now = 1000; now < 10_000; now += 50) {
    if (now === 2500) burst.end("10.0.5.101");
    const taken = burst.take(now);
    if (taken.includes("10.0.5.100")) times.push(now);
    if (now > 2500) expect(taken).not.toContain("10.0.5.101");
  }
  expect(times).toEqual([1000, 1100, 1300, 2000, 3000, 4000, 5000, 6000]);
});

test("the next announcement is known, so that a thread can sleep until then", () => {
  const burst = new AnnouncementBurst();
  expect(burst.next).toBe(Number.POSITIVE_INFINITY);
  burst.begin("10.0.5.100", 1000);
  const times: number[] = [];
  for (; burst.next < Number.POSITIVE_INFINITY; burst.take(burst.next)) times.push(burst.next);
  expect(times).toEqual([1000, 1100, 1300, 2000, 3000, 4000, 5000, 6000]);
});

test("a thousand at once leave at a bounded pace, each for the first time before any is repeated", () => {
  const burst = new AnnouncementBurst();
  const all = Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  for (const vip of all) burst.begin(vip, 0);
  const first: string[] = [];
  const told: [number, number][] = [];
  for (let now = 0; first.length < 1000; now = burst.next) {
    const taken = burst.take(now);
    told.push([now, taken.length]);
    first.push(...taken);
  }
  expect(new Set(first)).toEqual(new Set(all));
  expect(told).toEqual([
    [0, 400],
    [100, 400],
    [200, 400],
  ]);
});

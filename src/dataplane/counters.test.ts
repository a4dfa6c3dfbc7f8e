import { expect, test } from "vitest";
import { countersMemory, sumCounters, VIP_STRIDE } from "./counters.ts";

test("the sum has what every worker counted, of the VIPs that are asked for", () => {
  const workers = [countersMemory(1 << 10), countersMemory(1 << 10)];
  for (const [worker, { totals, reasons, vips }] of workers.entries()) {
    totals[3] = 10 + worker;
    reasons[2] = 100 + worker;
    for (const id of [0, 4, 900]) vips[id * VIP_STRIDE + 1] = id + worker;
  }
  const { totals, reasons, vips } = sumCounters(workers, [4, 0]);
  expect(totals[3]).toBe(21);
  expect(reasons[2]).toBe(201);
  expect(vips[1]).toBe(1);
  expect(vips[4 * VIP_STRIDE + 1]).toBe(9);
  expect(vips).toHaveLength(5 * VIP_STRIDE);
});

test("without workers and VIPs the sum is nothing", () => {
  const { totals, vips } = sumCounters([], []);
  expect(totals.every((count) => count === 0)).toBe(true);
  expect(vips).toHaveLength(0);
});

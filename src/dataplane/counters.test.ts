import { expect, test } from "vitest";
import { countersMemory, countReason, reasonCounts, sumCounters, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";

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

test("what is not forwarded is counted by its reason, and by the port that it came in by", () => {
  const workers = [countersMemory(1), countersMemory(1)];
  for (const counters of workers) {
    countReason(counters, DropReason.NoBackend, 0);
    countReason(counters, DropReason.TtlExpired, 1);
  }
  countReason(workers[0]!, DropReason.NoBackend, 1);
  const sum = sumCounters(workers, []);
  expect(reasonCounts(sum)).toEqual({ NoBackend: 3, TtlExpired: 2 });
  expect(reasonCounts(sum, 0)).toEqual({ NoBackend: 2 });
  expect(reasonCounts(sum, 1)).toEqual({ NoBackend: 1, TtlExpired: 2 });
  expect(reasonCounts(sum, 2)).toEqual({});
});

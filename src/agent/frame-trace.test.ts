import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseFrameFilter } from "../trace/frame-filter.ts";
import type { TraceOrder } from "../trace/frame-tracer.ts";
import { FrameTrace, type TraceListener, type TraceSource } from "./frame-trace.ts";

let orders: readonly TraceOrder[];
let sampleEvery: number;
let trace: FrameTrace;

beforeEach(() => {
  vi.useFakeTimers();
  orders = [];
  sampleEvery = 0;
  trace = new FrameTrace({
    workers: 2,
    vipsOf: (service: string) => (service === "default/web" ? [{ family: 4, value: 1n }] : []),
    publish: (given: readonly TraceOrder[]) => {
      orders = given;
    },
    sampleEvery: (frames: number) => {
      sampleEvery = frames;
    },
    drainSamples: () => {},
    samplesLost: () => 0,
  } as unknown as TraceSource);
});

afterEach(() => {
  trace.close();
  vi.useRealTimers();
});

const listener = (words: Record<string, string>, more: Partial<TraceListener> = {}): TraceListener => ({
  ...{ filter: parseFrameFilter((field) => words[field] ?? null), snapBytes: 128, sampleEvery: 64 },
  ...{ take: () => {}, read: () => {}, ...more },
});

test("while nobody looks there are no rings, no samples and no timer", () => {
  expect(vi.getTimerCount()).toBe(0);
  const leave = trace.listen(listener({}));
  expect(orders).toHaveLength(2);
  expect(sampleEvery).toBe(64);
  expect(vi.getTimerCount()).toBe(1);
  leave();
  leave();
  expect(orders).toEqual([]);
  expect(sampleEvery).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("several look through the same rings: the longest frames, the most samples, the filters of all", () => {
  const leaves = [
    trace.listen(listener({ service: "default/web" })),
    trace.listen(listener({ verdict: "dropped" }, { snapBytes: 2000, sampleEvery: 4 })),
  ];
  const [first] = orders;
  expect(first).toMatchObject({ snapBytes: 2000 });
  expect(first!.filters).toHaveLength(2);
  expect(sampleEvery).toBe(4);
  leaves[1]!();
  expect(orders[0]!.ring).toBe(first!.ring);
  expect(orders[0]).toMatchObject({ snapBytes: 128 });
  expect(sampleEvery).toBe(64);
});

test("a Service that is not served here, and one too many, are refused with nothing begun", () => {
  expect(() => trace.listen(listener({ service: "default/other" }))).toThrow("no Service default/other is served");
  expect(orders).toEqual([]);
  for (let n = 0; n < 32; n++) trace.listen(listener({}));
  expect(() => trace.listen(listener({}))).toThrow("32 are looking already");
});

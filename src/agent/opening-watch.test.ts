import { pino } from "pino";
import { expect, test } from "vitest";
import { PressureMap } from "../xdp/queue-pressure.ts";
import { OpeningWatch } from "./opening-watch.ts";
import type { DatapathMode } from "./run-options.ts";

function watched(mode: DatapathMode) {
  const words = new Int32Array(32);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const told: string[] = [];
  const clock = { now: 10_000 };
  const queues = [0, 1].map((queue) => ({ port: "net0", queue, place: queue }));
  const watch = new OpeningWatch(
    mode,
    new PressureMap(words),
    queues,
    () => clock.now,
    log,
    (by) => told.push(by),
  );
  const press = (queue: number, reason: number, since: number) => {
    words[queue * 16 + 3] = reason;
    new BigInt64Array(words.buffer).set([BigInt(clock.now) * 1_000_000n, BigInt(since) * 1_000_000n], queue * 8 + 3);
  };
  return { watch, press, clock, lines, told };
}

test("a change is told once, with the queue that began it and why, and remembered until it is over", () => {
  const { watch, press, clock, lines, told } = watched("auto");
  expect(watch.status).toMatchObject({ by: "workers", why: "the workers keep up" });
  press(1, 1, 9_000);
  press(0, 3, 9_500);
  watch.look();
  watch.look();
  const why = "the worker of queue 1 of net0 is behind: its ring is nearly full";
  expect(watch.status).toMatchObject({ by: "kernel", why, takeovers: { behind: 1, stalled: 0, gone: 0 } });
  expect(Date.now() - Date.parse(watch.status.since)).toBeGreaterThanOrEqual(1_000);
  clock.now += 2_001;
  watch.look();
  expect(watch.status.by).toBe("workers");
  expect(lines).toEqual([`new flows are opened by the kernel: ${why}`, "new flows are opened by the workers again"]);
  expect(told).toEqual(["kernel", "workers"]);
  watch.close();
});

test("in the other modes it is as configured, whatever the queues say", () => {
  for (const [mode, by] of [
    ["kernel", "kernel"],
    ["hybrid", "workers"],
    ["userspace", "workers"],
  ] as const) {
    const { watch, press } = watched(mode);
    press(0, 3, 9_000);
    watch.look();
    expect(watch.status).toMatchObject({ by, why: "as configured" });
    watch.close();
  }
});

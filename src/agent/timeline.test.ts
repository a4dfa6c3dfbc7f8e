import { multistream, pino } from "pino";
import { expect, test } from "vitest";
import { Timeline } from "./timeline.ts";

test("has the log's lines in words, newest last, and tells each as it comes", () => {
  const timeline = new Timeline();
  const log = pino({ base: { node: "n1" } }, multistream([{ stream: timeline }]));
  const told: string[] = [];
  const leave = timeline.onEntry(({ message }) => told.push(message));
  log.info({ peer: "tor1", to: "Established" }, "BGP session");
  log.info({ ports: [{ name: "eth0", id: 0 }] }, "datapath ready");
  log.error({ err: new Error("no such port") }, "the change could not be carried out");
  leave();
  log.warn("nobody hears this");
  expect(told).toHaveLength(3);
  expect(timeline.entries.map(({ level, message, details }) => [level, message, details])).toEqual([
    ["info", "BGP session", "peer tor1, to Established"],
    ["info", "datapath ready", "ports eth0"],
    ["error", "the change could not be carried out", "err no such port"],
    ["warning", "nobody hears this", ""],
  ]);
});

test("keeps the newest and no more than it may", () => {
  const timeline = new Timeline();
  const log = pino({}, multistream([{ stream: timeline }]));
  for (let n = 1; n <= 1000; n++) log.info(`line ${n}`);
  expect(timeline.entries).toHaveLength(300);
  expect(timeline.entries.at(-1)).toMatchObject({ number: 1000, message: "line 1000" });
});

import { pino } from "pino";
import { expect, test } from "vitest";
import { WorkerWatch } from "./worker-watch.ts";

function watched() {
  const workers = [
    { alive: true, turns: 0 },
    { alive: true, turns: 0 },
  ];
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  return { workers, lines, watch: new WorkerWatch(() => workers, log) };
}

test("a worker without a turn for three seconds is told once, shown until it goes on, and that is told too", () => {
  const { workers, lines, watch } = watched();
  for (let second = 0; second < 6; second++) {
    workers[0]!.turns++;
    watch.look();
  }
  expect(watch.status.map(({ stalledSeconds }) => stalledSeconds)).toEqual([0, 5]);
  workers[1]!.turns++;
  expect(watch.status[1]!.stalledSeconds).toBe(0);
  watch.look();
  watch.look();
  expect(lines).toEqual(["a datapath worker has made no turn for 3 s; its frames wait", "the datapath worker goes on"]);
  watch.close();
});

test("one that is dead is not said to stall", () => {
  const { workers, lines, watch } = watched();
  workers[1]!.alive = false;
  for (let second = 0; second < 6; second++) {
    workers[0]!.turns++;
    watch.look();
  }
  expect(watch.status[1]).toMatchObject({ alive: false, stalledSeconds: 0 });
  expect(lines).toEqual([]);
  watch.close();
});

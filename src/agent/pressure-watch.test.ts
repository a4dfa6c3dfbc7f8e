import { pino } from "pino";
import { expect, it } from "vitest";
import { countersMemory } from "../dataplane/counters.ts";
import { DropReason } from "../dataplane/drop-reason.ts";
import { PressureWatch } from "./pressure-watch.ts";

it("says once a minute how many flows were refused since it last said so, and nothing while none is", () => {
  const counters = countersMemory(1);
  const said: { msg: string; count: number }[] = [];
  const log = pino({}, { write: (line: string) => said.push(JSON.parse(line)) });
  const watch = new PressureWatch(() => counters, log);
  watch.look();
  expect(said).toEqual([]);
  for (let look = 0; look < 13; look++) {
    counters.reasons[DropReason.SourcePortsExhausted]! += 10;
    watch.look();
  }
  watch.close();
  expect(said.map(({ count }) => count)).toEqual([10, 120]);
  expect(said[0]!.msg).toContain("source port");
});

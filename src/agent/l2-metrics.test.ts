import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { L2Metrics } from "./l2-metrics.ts";

const takeover = (address: string, silentMilliseconds: number | null) =>
  ({ type: "answers", address, cause: "takeover", previous: "n1", silentMilliseconds }) as const;

test("a takeover is measured to its announcement, and to the first frame that was served", async () => {
  const requests = new Map([
    ["10.0.5.100", 7],
    ["10.0.5.101", 0],
  ]);
  const metrics = new L2Metrics(() => requests);
  metrics.count(takeover("10.0.5.100", 610));
  metrics.count(takeover("10.0.5.101", 620));
  metrics.count(takeover("10.0.5.102", null));
  requests.set("10.0.5.100", 8);
  await sleep(100);
  const text = await metrics.registry.metrics();
  expect(text).toContain("sluice_l2_failover_seconds_count 2");
  expect(text).toContain('sluice_l2_failover_seconds_bucket{le="0.6"} 0');
  expect(text).toContain('sluice_l2_failover_seconds_bucket{le="0.7"} 2');
  expect(text).toContain("sluice_l2_failover_served_seconds_count 1");
  expect(text).toContain('sluice_l2_events_total{event="takeover"} 3');
});

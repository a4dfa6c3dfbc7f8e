/** What the status page computes, without a browser (test/netns/status-page.test.ts has one). */
import { expect, test } from "vitest";
import { fleetRates } from "../page/fleet-rates.ts";
import { ratesBetween } from "../page/rates.ts";
import { amount, duration } from "../page/words.ts";
import type { Overview } from "../src/agent/overview.ts";
import type { FleetStatus } from "../src/fleet/fleet.ts";
import type { NodeReport } from "../src/fleet/node-report.ts";

function overview(time: number, uptimeSeconds: number, frames: number): Overview {
  return {
    time,
    status: {
      uptimeSeconds,
      datapath: {
        totals: { received: frames, transmitted: frames, dropped: frames / 2 },
        xdp: { forward: frames, egressForward: frames },
        flows: { opened: frames },
        reasons: { NoBackend: frames / 2 },
      },
    },
    services: [{ vips: [{ vip: "192.0.2.1:80/TCP", requestPackets: frames, replyPackets: frames }] }],
  } as unknown as Overview;
}

test("rates are of workers and kernel together, by the time that passed", () => {
  const rates = ratesBetween(overview(1000, 10, 0), overview(3000, 12, 100))!;
  expect(rates).toMatchObject({ received: 150, forwarded: 150, stopped: 25, flowsOpened: 50 });
  expect(rates.vips.get("192.0.2.1:80/TCP")).toBe(100);
  expect(rates.reasons.get("NoBackend")).toBe(25);
});

test("between two processes there is no rate", () => {
  expect(ratesBetween(overview(1000, 500, 100), overview(3000, 1, 0))).toBeNull();
});

test("rates of all nodes are by each node's own clock, and those that did not answer twice have none", () => {
  const fleet = (...reports: readonly (Partial<NodeReport> & { node: string })[]) =>
    ({ members: reports.map((report) => ({ node: report.node, report, trouble: null })) }) as unknown as FleetStatus;
  const report = (node: string, time: number, uptimeSeconds: number, frames: number) => ({
    ...{ node, time, uptimeSeconds, framesForwarded: frames, framesDropped: frames / 10 },
    services: { "default/web": { frames, flowsOpened: 0 } },
  });
  const before = fleet(report("n1", 1000, 10, 0), report("n2", 9000, 10, 1000), report("n3", 0, 100, 50));
  const after = fleet(report("n1", 3000, 12, 100), report("n2", 10_000, 11, 1100), report("n3", 3000, 1, 70));
  const rates = fleetRates(before, after);
  expect([...rates.forwarded]).toEqual([
    ["n1", 50],
    ["n2", 100],
  ]);
  expect(rates.dropped.get("n2")).toBe(10);
  expect(rates.services.get("default/web")).toBe(150);
});

test("numbers and times are short", () => {
  expect([0, 0.25, 950, 12_345, 4_560_000, 7e9].map(amount)).toEqual(["0", "0.3", "950", "12.3 k", "4.56 M", "7.00 G"]);
  expect([48, 720, 12_000, 500_000].map(duration)).toEqual(["48 s", "12 min", "3 h 20 min", "5 d"]);
});

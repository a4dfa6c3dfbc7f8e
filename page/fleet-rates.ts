/**
 * Rates of all nodes, from two answers of each, one after the other. Each node's own clock says how much time is between its
 * answers, and of a node that began anew, or did not answer both times, there is none.
 */
import type { FleetStatus } from "../src/fleet/fleet.ts";
import type { NodeReport } from "../src/fleet/node-report.ts";

export interface FleetRates {
  /** Frames a second, by node. */
  readonly forwarded: ReadonlyMap<string, number>;
  readonly dropped: ReadonlyMap<string, number>;
  /** Frames a second of a Service, over all nodes with a rate. */
  readonly services: ReadonlyMap<string, number>;
}

export function fleetRates(before: FleetStatus, after: FleetStatus): FleetRates {
  const earlier = new Map(before.members.flatMap(({ node, report }) => (report === null ? [] : [[node, report]])));
  const [forwarded, dropped, services] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  for (const { node, report: now } of after.members) {
    const then = earlier.get(node);
    const seconds = now === null || then === undefined ? 0 : secondsBetween(then, now);
    if (now === null || then === undefined || seconds <= 0) continue;
    const per = (count: number, known: number) => Math.max(0, (count - known) / seconds);
    forwarded.set(node, per(now.framesForwarded, then.framesForwarded));
    dropped.set(node, per(now.framesDropped, then.framesDropped));
    for (const [name, { frames }] of Object.entries(now.services)) {
      const rate = per(frames, then.services[name]?.frames ?? frames);
      services.set(name, (services.get(name) ?? 0) + rate);
    }
  }
  return { forwarded, dropped, services };
}

/** 0 when they are not two answers of one process. */
function secondsBetween(then: NodeReport, now: NodeReport): number {
  return now.uptimeSeconds < then.uptimeSeconds ? 0 : (now.time - then.time) / 1000;
}

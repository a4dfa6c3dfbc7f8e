/** What a node says of itself to the others: what fits into a line of a table for each, and its trouble in words. */

import type { PortStatus } from "../agent/datapath.ts";
import type { Gateway } from "../agent/gateway.ts";
import type { ServiceMove } from "../agent/service-moves.ts";
import { type GatewayStatus, gatewayStatus } from "../agent/status.ts";
import type { PeerStatus } from "../bgp/speaker-spec.ts";

/** Of more Services a report would be long, and the page shows no more. */
const MOST_SERVICES = 500;

export interface NodeReport {
  readonly node: string;
  /** Milliseconds since 1970, by the clock of that node: rates are of one node's reports. */
  readonly time: number;
  readonly uptimeSeconds: number;
  readonly drain: GatewayStatus["drain"];
  readonly mode: GatewayStatus["datapath"]["mode"];
  readonly openedBy: GatewayStatus["datapath"]["opening"]["by"];
  readonly epoch: number;
  readonly ports: readonly Pick<PortStatus, "name" | "kind" | "mode">[];
  readonly deadWorkers: number;
  readonly liveFlows: number;
  /** Since its start, workers and kernel together. */
  readonly framesForwarded: number;
  readonly framesDropped: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly sessions: readonly Pick<PeerStatus, "name" | "address" | "asn" | "state" | "lastError">[];
  /** What is wrong with its configuration and its interfaces. */
  readonly problems: readonly string[];
  /** By NAMESPACE/NAME, since its start. */
  readonly services: Readonly<Record<string, ServiceReport>>;
  /** By NAMESPACE/NAME. */
  readonly moves: Readonly<Record<string, ServiceMove>>;
}

interface ServiceReport {
  readonly frames: number;
  readonly flowsOpened: number;
  /** VIPs of it for which that node has no backend that takes new flows; a node of an earlier version does not say. */
  readonly withoutBackends?: readonly string[];
}

export async function reportOf(gateway: Gateway): Promise<NodeReport> {
  return nodeReport(await gatewayStatus(gateway), gateway.moves.byService, Date.now());
}

/** Nodes that may attract the traffic of each Service, by NAMESPACE/NAME. */
export function announcersOf({ plan }: Gateway): Readonly<Record<string, readonly string[]>> {
  const services = Object.entries(plan?.services ?? {});
  return Object.fromEntries(services.map(([name, { eligibleNodes }]) => [name, eligibleNodes]));
}

export function nodeReport(
  { node, uptimeSeconds, drain, datapath, services, bgp, config }: GatewayStatus,
  moves: ReadonlyMap<string, ServiceMove>,
  time: number,
): NodeReport {
  const { mode, opening, epoch, ports, workers, totals, reasons, flows, xdp, offloads } = datapath;
  const byService = Map.groupBy(services, ({ service }) => service);
  const shown = [...byService.keys()].sort().slice(0, MOST_SERVICES);
  return {
    ...{ node, time, uptimeSeconds, drain, mode, openedBy: opening.by, epoch, reasons },
    ports: ports.map(({ name, kind, mode: attached }) => ({ name, kind, mode: attached })),
    deadWorkers: workers.filter(({ alive }) => !alive).length,
    liveFlows: flows.live,
    framesForwarded: totals.transmitted + xdp.forward + xdp.egressForward,
    framesDropped: totals.dropped,
    sessions: bgp.map(({ name, address, asn, state, lastError }) => ({ name, address, asn, state, lastError })),
    problems: [
      ...config.problems.map(({ object, field, message }) => `${object} ${field}: ${message}`),
      ...offloads.problems.map(({ message }) => message),
    ],
    services: Object.fromEntries(
      shown.map((name) => {
        const vips = byService.get(name)!;
        const frames = sum(vips.map(({ requestPackets, replyPackets }) => requestPackets + replyPackets));
        const flowsOpened = sum(vips.map((vip) => vip.flowsOpened));
        const withoutBackends = vips.filter(({ backends }) => backends.length === 0).map(({ vip }) => vip);
        return [name, { frames, flowsOpened, withoutBackends }];
      }),
    ),
    moves: Object.fromEntries([...moves].slice(-MOST_SERVICES)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

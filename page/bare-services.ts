/**
 * Services that have a VIP without a backend, judged over all nodes that answer: with `externalTrafficPolicy: Local` a node
 * knows only its own pods, and says nothing of those that announce it elsewhere.
 */
import type { ServiceOverview } from "../src/agent/overview.ts";
import type { FleetStatus } from "../src/fleet/fleet.ts";

export interface BareService {
  /** NAMESPACE/NAME. */
  readonly name: string;
  /** `192.0.2.1:80/TCP`; those that no node has a backend for. */
  readonly vips: readonly string[];
}

export function bareServices(fleet: FleetStatus, services: readonly ServiceOverview[]): readonly BareService[] {
  const reports = fleet.members.flatMap(({ report }) => (report === null ? [] : [report]));
  const answering = new Set(reports.map(({ node }) => node));
  return services.flatMap(({ name, announcers }) => {
    // Who announces it would know of backends, and can't be asked.
    if (announcers.length > 0 && !announcers.some((node) => answering.has(node))) return [];
    const told = reports.flatMap((report) => report.services[name] ?? []);
    const [first, ...others] = told.map((one) => one.withoutBackends ?? []);
    const vips = (first ?? []).filter((vip) => others.every((those) => those.includes(vip)));
    return vips.length === 0 ? [] : [{ name, vips }];
  });
}

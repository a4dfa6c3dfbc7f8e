/**
 * Services that have a VIP without a backend that takes new flows, judged over all nodes that answer: with
 * `externalTrafficPolicy: Local` a node knows only its own pods, and says nothing of those that announce it elsewhere.
 */
import type { NodeReport } from "./node-report.ts";

export interface BareService {
  /** NAMESPACE/NAME. */
  readonly name: string;
  /** `192.0.2.1:80/TCP`; those that no node has a backend for. */
  readonly vips: readonly string[];
}

/** @param announcers nodes that may attract the traffic of each Service, by NAMESPACE/NAME. */
export function bareServices(
  reports: readonly NodeReport[],
  announcers: Readonly<Record<string, readonly string[]>>,
): readonly BareService[] {
  const answering = new Set(reports.map(({ node }) => node));
  return Object.entries(announcers)
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([name, nodes]) => {
      // Who announces it would know of backends, and can't be asked.
      if (nodes.length > 0 && !nodes.some((node) => answering.has(node))) return [];
      const told = reports.flatMap((report) => report.services[name] ?? []);
      const [first, ...others] = told.map((one) => one.withoutBackends ?? []);
      const vips = (first ?? []).filter((vip) => others.every((those) => those.includes(vip)));
      return vips.length === 0 ? [] : [{ name, vips }];
    });
}

/** Which sessions of which node a Service goes to: what MetalLB's users read in `ServiceBGPStatus`. */
import type { Plan } from "./plan.ts";

export interface ServiceBgpStatus {
  readonly node: string;
  readonly serviceName: string;
  readonly serviceNamespace: string;
  readonly peers: readonly string[];
}

/** One per node and Service that is announced there, in order. */
export function serviceBgpStatuses({ nodes, services }: Plan): readonly ServiceBgpStatus[] {
  const statuses: ServiceBgpStatus[] = [];
  for (const [node, { bgp }] of Object.entries(nodes)) {
    const peersByPrefix = new Map<string, string[]>();
    for (const { name, routes } of bgp.flatMap(({ peers }) => peers)) {
      for (const { prefix } of routes) peersByPrefix.set(prefix, [...(peersByPrefix.get(prefix) ?? []), name]);
    }
    for (const [key, { ingress, eligibleNodes }] of Object.entries(services)) {
      if (!eligibleNodes.includes(node)) continue;
      const peers = ingress.flatMap(
        (address) => peersByPrefix.get(`${address}/${address.includes(":") ? 128 : 32}`) ?? [],
      );
      if (peers.length === 0) continue;
      const slash = key.indexOf("/");
      statuses.push({
        node,
        serviceName: key.slice(slash + 1),
        serviceNamespace: key.slice(0, slash),
        peers: [...new Set(peers)].sort(),
      });
    }
  }
  return statuses;
}

/** Which nodes may attract the traffic of a Service, and why the others may not. */
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Service, ServiceBackend } from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";

export interface Eligibility {
  readonly eligibleNodes: readonly string[];
  /** The reason, by node. */
  readonly notEligible: Readonly<Record<string, string>>;
}

export function eligibility(service: Service, hasAddress: boolean, intent: Intent): Eligibility {
  const eligibleNodes: string[] = [];
  const notEligible: Record<string, string> = {};
  if (!service.wantsLoadBalancer) return { eligibleNodes, notEligible };
  for (const node of intent.nodes) {
    const obstacle = serviceObstacle(service, hasAddress, intent) ?? nodeObstacle(service, node);
    if (obstacle === null) eligibleNodes.push(node.name);
    else notEligible[node.name] = obstacle;
  }
  return { eligibleNodes, notEligible };
}

/** True where a backend counts as running on a node: one without a node of its own runs everywhere. */
export function isLocalTo(backend: ServiceBackend, nodeName: string): boolean {
  return backend.node === null || backend.node === nodeName;
}

function serviceObstacle(service: Service, hasAddress: boolean, intent: Intent): string | null {
  if (addressSource(service, intent) === "other-controller") {
    return `loadBalancerClass ${service.loadBalancerClass} belongs to another controller`;
  }
  if (!hasAddress) return "the Service has no address";
  const needsBackend = service.externalTrafficPolicy === "cluster" && !intent.settings.announceWithoutBackends;
  if (needsBackend && !hasReadyBackend(service, () => true)) {
    return "no ready endpoint at all (enable-no-service-endpoints-routable: false)";
  }
  return null;
}

function nodeObstacle(service: Service, node: ClusterNode): string | null {
  if (node.excludedBecause !== null) return node.excludedBecause;
  if (service.externalTrafficPolicy === "cluster") return null;
  // As Cilium has it, backends that only finish their work attract nothing, though they still get what arrives.
  return hasReadyBackend(service, (backend) => isLocalTo(backend, node.name))
    ? null
    : "no ready endpoint on this node (externalTrafficPolicy: Local)";
}

function hasReadyBackend(service: Service, isEligible: (backend: ServiceBackend) => boolean): boolean {
  return service.ports.some((port) =>
    port.backends.some((backend) => backend.state === "ready" && isEligible(backend)),
  );
}

/** Which nodes may attract the traffic of a Service, and why the others may not. */
import type { Dialect } from "../intent/dialect.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Service, ServiceBackend } from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";

interface Eligibility {
  readonly eligibleNodes: readonly string[];
  /** The reason, by node. */
  readonly notEligible: Readonly<Record<string, string>>;
}

export function eligibility(service: Service, hasAddress: boolean, intent: Intent, dialect: Dialect): Eligibility {
  const eligibleNodes: string[] = [];
  const notEligible: Record<string, string> = {};
  if (!service.wantsLoadBalancer) return { eligibleNodes, notEligible };
  const onService = serviceObstacle(service, hasAddress, intent, dialect);
  for (const node of intent.nodes) {
    const obstacle = onService ?? nodeObstacle(service, node, dialect);
    if (obstacle === null) eligibleNodes.push(node.name);
    else notEligible[node.name] = obstacle;
  }
  return { eligibleNodes, notEligible };
}

/** Why a node does not announce the cluster addresses of a Service. */
export function clusterAddressObstacle(service: Service, node: ClusterNode, intent: Intent): string | null {
  return addressObstacle(service.internalTrafficPolicy, "internalTrafficPolicy", service, node, intent);
}

/** Why a node does not announce the external addresses of a Service. */
export function externalAddressObstacle(service: Service, node: ClusterNode, intent: Intent): string | null {
  return addressObstacle(service.externalTrafficPolicy, "externalTrafficPolicy", service, node, intent);
}

/** True where a backend counts as running on a node: one without a node of its own runs everywhere. */
export function isLocalTo(backend: ServiceBackend, nodeName: string): boolean {
  return backend.node === null || backend.node === nodeName;
}

/** What the announcing of its cluster and external addresses depends on. */
export function nodesWithReadyBackend(service: Service): readonly (string | null)[] {
  const backends = service.ports.flatMap((port) => port.backends.filter(({ state }) => state === "ready"));
  return [...new Set(backends.map(({ node }) => node))].sort();
}

function addressObstacle(
  policy: "cluster" | "local",
  field: string,
  service: Service,
  node: ClusterNode,
  intent: Intent,
): string | null {
  if (node.excludedBecause !== null) return node.excludedBecause;
  if (policy === "cluster") {
    return intent.settings.announceWithoutBackends || hasUsableBackend(service, "cilium", () => true)
      ? null
      : NO_BACKEND_CILIUM;
  }
  return hasUsableBackend(service, "cilium", (backend) => isLocalTo(backend, node.name))
    ? null
    : `no ready endpoint on this node (${field}: Local)`;
}

const NO_BACKEND_CILIUM = "no ready endpoint at all (enable-no-service-endpoints-routable: false)";

function serviceObstacle(service: Service, hasAddress: boolean, intent: Intent, dialect: Dialect): string | null {
  if (addressSource(service, intent) === "other-controller") {
    return `loadBalancerClass ${service.loadBalancerClass} belongs to another controller`;
  }
  if (!hasAddress) return "the Service has no address";
  if (service.externalTrafficPolicy === "local") return null;
  const mayBeEmpty = dialect === "cilium" && intent.settings.announceWithoutBackends;
  if (mayBeEmpty || hasUsableBackend(service, dialect, () => true)) return null;
  return dialect === "cilium" ? NO_BACKEND_CILIUM : "no endpoint is ready or serving";
}

function nodeObstacle(service: Service, node: ClusterNode, dialect: Dialect): string | null {
  if (node.excludedBecause !== null) return node.excludedBecause;
  if (service.externalTrafficPolicy === "cluster") return null;
  return hasUsableBackend(service, dialect, (backend) => isLocalTo(backend, node.name))
    ? null
    : "no ready endpoint on this node (externalTrafficPolicy: Local)";
}

/**
 * As Cilium has it, backends that only finish their work attract nothing, though they still get what arrives; MetalLB
 * counts everything that still serves.
 */
function hasUsableBackend(
  service: Service,
  dialect: Dialect,
  isEligible: (backend: ServiceBackend) => boolean,
): boolean {
  return service.ports.some((port) =>
    port.backends.some(
      (backend) => (backend.state === "ready" || (dialect === "metallb" && backend.isServing)) && isEligible(backend),
    ),
  );
}

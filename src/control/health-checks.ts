/**
 * What load balancers in front of the nodes ask for under the Local traffic policy: whether a node has an endpoint of a
 * Service, on the port that the API server gave for it (`healthCheckNodePort`).
 */
import type { Intent } from "../intent/intent.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { isLocalTo } from "./eligibility.ts";

export interface HealthCheck {
  readonly port: number;
  readonly namespace: string;
  readonly name: string;
  /** Addresses of this node that are ready, each once. */
  readonly localEndpoints: number;
}

export function healthChecksOnNode(intent: Intent, nodeName: string): readonly HealthCheck[] {
  return intent.services.flatMap((service): HealthCheck[] => {
    const { healthCheckNodePort: port, namespace, name, ports } = service;
    if (port === undefined || service.externalTrafficPolicy !== "local") return [];
    if (addressSource(service, intent) === "other-controller") return [];
    const local = ports
      .flatMap(({ backends }) => backends)
      .filter((backend) => backend.state === "ready" && isLocalTo(backend, nodeName));
    return [{ port, namespace, name, localEndpoints: new Set(local.map(({ address }) => address.value)).size }];
  });
}

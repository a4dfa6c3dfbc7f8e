/** When two Services may have one address. */
import type { Service } from "../intent/service.ts";

/** Why they may not; `null` when they may. */
export function sharingObstacle(a: Service, b: Service): string | null {
  if (a.sharing === null || b.sharing === null || a.sharing.key !== b.sharing.key) return "different sharing key";
  if (a.sharing.dialect !== b.sharing.dialect) return "one shares by Cilium's rules and one by MetalLB's";
  return a.sharing.dialect === "metallb" ? metalLbObstacle(a, b) : ciliumObstacle(a, b);
}

function ciliumObstacle(a: Service, b: Service): string | null {
  if (a.namespace !== b.namespace && !(permits(a, b.namespace) && permits(b, a.namespace))) {
    return "not both permit sharing across namespaces";
  }
  // By number alone, whatever the protocol: what Cilium's users rely on, and safe for every datapath.
  const clash = a.ports.find((port) => b.ports.some((other) => other.port === port.port));
  if (clash !== undefined) return `same port ${clash.port}`;
  if (a.externalTrafficPolicy !== b.externalTrafficPolicy) return "different externalTrafficPolicy";
  if (a.externalTrafficPolicy === "local" && !(a.sharing!.permitDifferentPods && b.sharing!.permitDifferentPods)) {
    // The address is announced from the nodes of one of them, so both must run on the same nodes.
    if (!samePods(a, b)) return "externalTrafficPolicy is Local and their selectors differ";
  }
  return null;
}

function metalLbObstacle(a: Service, b: Service): string | null {
  const clash = a.ports.find((port) =>
    b.ports.some((other) => other.port === port.port && other.protocol === port.protocol),
  );
  if (clash !== undefined) return `same port ${clash.port}/${clash.protocol}`;
  if (a.externalTrafficPolicy === "cluster" && b.externalTrafficPolicy === "cluster") return null;
  return samePods(a, b) ? null : "not both have externalTrafficPolicy Cluster, and their selectors differ";
}

function permits(service: Service, namespace: string): boolean {
  return service.sharing!.namespaces.some((permitted) => permitted === "*" || permitted === namespace);
}

function samePods(a: Service, b: Service): boolean {
  const labels = Object.entries(a.podSelector);
  if (labels.length === 0 || labels.length !== Object.keys(b.podSelector).length) return false;
  return labels.every(([key, value]) => b.podSelector[key] === value);
}

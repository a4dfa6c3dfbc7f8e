/** What one node forwards: every served address, with the backends that this node may use. */
import type { BackendSpec, ForwardingSpec, OwnedAddress, VipSpec } from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import { type Service, type ServiceBackend, type ServicePort, serviceKey } from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { parseIpAddress, toIpv4 } from "../net/ip-address.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import { isLocalTo } from "./eligibility.ts";
import type { Plan } from "./plan.ts";

/**
 * A node serves an address also where it does not announce it: whoever sends to it, a stale route or a client in the
 * cluster, is answered here instead of being sent on in a circle.
 */
export function forwardingOnNode(intent: Intent, plan: Plan, nodeName: string): ForwardingSpec {
  const vips = new Map<string, VipSpec>();
  const owned = new Map<Ipv4, OwnedAddress>();
  for (const service of intent.services) {
    if (addressSource(service, intent) === "other-controller") continue;
    for (const address of servedAddresses(service, plan)) {
      owned.set(address, { address, arpInterfaces: [] });
      for (const port of service.ports) {
        const { protocol } = port;
        const key = `${address} ${port.port} ${protocol}`;
        if (protocol === "SCTP" || vips.has(key)) continue;
        const backends = usableBackends(service, port, nodeName);
        vips.set(key, { service: serviceKey(service), address, port: port.port, protocol, backends });
      }
    }
  }
  return {
    vips: [...vips.values()],
    owned: [...owned.values()].sort((a, b) => a.address - b.address),
    maglevTableSize: intent.settings.maglevTableSize,
    // Routers move flows between nodes without asking; Maglev on the new one finds the same backend.
    strictSyn: false,
  };
}

function servedAddresses(service: Service, plan: Plan): Ipv4[] {
  return plan.services[serviceKey(service)]!.ingress.flatMap((text) => toIpv4(parseIpAddress(text)!) ?? []);
}

/** New flows go to what is ready, or else to what still serves on its way out (KEP-1669); the rest keeps its flows. */
function usableBackends(service: Service, port: ServicePort, nodeName: string): BackendSpec[] {
  const reachable = port.backends.filter(
    (backend) => service.externalTrafficPolicy === "cluster" || isLocalTo(backend, nodeName),
  );
  const usableState = reachable.some(({ state }) => state === "ready") ? "ready" : "serving";
  return reachable.flatMap((backend) => backendSpec(backend, backend.state !== usableState));
}

function backendSpec({ address, port }: ServiceBackend, draining: boolean): BackendSpec[] {
  const ipv4 = toIpv4(address);
  return ipv4 === null ? [] : [{ address: ipv4, port, weight: 1, draining }];
}

/** What one node forwards: every served address, with the backends that this node may use. */
import {
  type BackendSpec,
  DEFAULT_SOURCE_PORTS,
  type ForwardingMode,
  type ForwardingSpec,
  type OwnedAddress,
  type VipSpec,
} from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import { matches } from "../intent/selector.ts";
import { type Service, type ServicePort, selectableLabels, serviceKey } from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { compareIpAddress, formatIpAddress, type IpAddress, type IpFamily, parseIpAddress } from "../net/ip-address.ts";
import { dsrOnNode, forwardingMode, receivingNode, receivingObstacle } from "./direct-server-return.ts";
import { isLocalTo } from "./eligibility.ts";
import type { Plan } from "./plan.ts";

/**
 * A node serves an address also where it does not announce it: whoever sends to it, a stale route or a client in the
 * cluster, is answered here instead of being sent on in a circle.
 */
export function forwardingOnNode(intent: Intent, plan: Plan, nodeName: string): ForwardingSpec {
  const vips = new Map<string, VipSpec>();
  const owned = new Map<string, OwnedAddress>();
  for (const service of intent.services) {
    if (addressSource(service, intent) === "other-controller") continue;
    const policies = policiesFor(service, intent);
    for (const address of servedAddresses(service, plan)) {
      owned.set(formatIpAddress(address), { address, answerOn: [] });
      for (const port of service.ports) {
        const { protocol } = port;
        const key = `${formatIpAddress(address)} ${port.port} ${protocol}`;
        if (vips.has(key)) continue;
        const mode = forwardingMode(service, protocol, intent);
        const backends = usableBackends(service, port, nodeName, address.family, mode, intent);
        vips.set(key, {
          service: serviceKey(service),
          address,
          port: port.port,
          protocol,
          mode,
          backends,
          affinity: service.clientAffinity,
          sources: service.clients,
          sourceNat: service.sourceNat ?? intent.settings.sourceNat,
          policies,
        });
      }
    }
  }
  return {
    vips: [...vips.values()],
    owned: [...owned.values()].sort((a, b) => compareIpAddress(a.address, b.address)),
    maglevTableSize: intent.settings.maglevTableSize,
    // Routers move flows between nodes without asking; Maglev on the new one finds the same backend.
    strictSyn: false,
    rejectWithoutBackend: true,
    trackFragments: true,
    sourcePorts: DEFAULT_SOURCE_PORTS,
    dsr: dsrOnNode([...vips.values()], intent, nodeName),
  };
}

function policiesFor(service: Service, { flowPolicies }: Intent): string[] {
  if (flowPolicies.length === 0) return [];
  const labels = selectableLabels(service);
  return flowPolicies
    .filter(({ serviceSelector }) => serviceSelector === null || matches(serviceSelector, labels))
    .map(({ name }) => name);
}

function servedAddresses(service: Service, plan: Plan): IpAddress[] {
  return plan.services[serviceKey(service)]!.ingress.map((text) => parseIpAddress(text)!);
}

/** New flows go to what is ready, or else to what still serves on its way out (KEP-1669); the rest keeps its flows. */
function usableBackends(
  service: Service,
  port: ServicePort,
  nodeName: string,
  family: IpFamily,
  mode: ForwardingMode,
  intent: Intent,
): BackendSpec[] {
  const reachable = port.backends.filter(
    (backend) =>
      backend.address.family === family &&
      (service.externalTrafficPolicy === "cluster" || isLocalTo(backend, nodeName)) &&
      (mode === "nat" || receivingObstacle(backend, intent) === null),
  );
  const usableState = reachable.some(({ state }) => state === "ready") ? "ready" : "serving";
  return reachable.map((backend) => ({
    address: backend.address,
    port: backend.port,
    weight: 1,
    draining: backend.state !== usableState,
    node: mode === "nat" ? null : receivingNode(backend, intent),
  }));
}

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
import {
  type Service,
  type ServiceBackend,
  type ServicePort,
  selectableLabels,
  serviceKey,
} from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { compareIpAddress, type IpFamily, parseIpAddress } from "../net/ip-address.ts";
import { dsrOnNode, forwardingMode, isReceiving, receivingNode, receivingObstacle } from "./direct-server-return.ts";
import { isLocalTo } from "./eligibility.ts";
import { servedExternalAddresses } from "./external-addresses.ts";
import type { Plan } from "./plan.ts";
import { ForwardingMemory, type ServedPort } from "./plan-memory.ts";
import { nearBackends } from "./topology.ts";

/**
 * A node serves an address also where it does not announce it: whoever sends to it, a stale route or a client in the
 * cluster, is answered here instead of being sent on in a circle.
 */
export function forwardingOnNode(
  intent: Intent,
  plan: Plan,
  nodeName: string,
  memory: ForwardingMemory = new ForwardingMemory(),
): ForwardingSpec {
  const vips = new Map<string, VipSpec>();
  const owned: OwnedAddress[] = [];
  const { nodes, gateways, pools, settings, flowPolicies, bgpPolicies, l2Policies } = intent;
  for (const service of intent.services) {
    const key = serviceKey(service);
    if (addressSource(service, intent) === "other-controller") continue;
    const { ingress } = plan.services[key]!;
    const about = [service.externalAddresses, service.labels, ingress, nodes, bgpPolicies, l2Policies, settings];
    const served = memory.served.of(key, about, () => servedAddresses(service, ingress, intent));
    if (served.length === 0) continue;
    owned.push(...memory.addresses.of(key, [served], () => ownedAddresses(served)));
    const inputs = [service, served, nodes, gateways, pools, settings, flowPolicies, nodeName];
    // Of two Services on one port of one address, which only a foreign allocator gives out, the first is served.
    for (const one of memory.vips.of(key, inputs, () => serviceVips(service, served, nodeName, intent))) {
      if (!vips.has(one.key)) vips.set(one.key, one.vip);
    }
  }
  const specs = [...vips.values()];
  const usesDsr = specs.some(({ mode }) => mode !== "nat");
  const spec = {
    vips: specs,
    owned: memory.owned.of("", owned, () => distinct(owned)),
    maglevTableSize: settings.maglevTableSize,
    // Routers move flows between nodes without asking; Maglev on the new one finds the same backend.
    strictSyn: false,
    rejectWithoutBackend: true,
    trackFragments: true,
    sourcePorts: DEFAULT_SOURCE_PORTS,
    dsr: memory.dsr.of("", [nodes, settings, usesDsr], () => dsrOnNode(specs, intent, nodeName)),
  };
  memory.endRound();
  return spec;
}

function policiesFor(service: Service, { flowPolicies }: Intent): string[] {
  if (flowPolicies.length === 0) return [];
  const labels = selectableLabels(service);
  return flowPolicies
    .filter(({ serviceSelector }) => serviceSelector === null || matches(serviceSelector, labels))
    .map(({ name }) => name);
}

function servedAddresses(service: Service, ingress: readonly string[], intent: Intent): readonly string[] {
  const external = servedExternalAddresses(service, intent).filter((address) => !ingress.includes(address));
  return external.length === 0 ? ingress : [...ingress, ...external];
}

function ownedAddresses(ingress: readonly string[]): OwnedAddress[] {
  return ingress.map((text) => ({ address: parseIpAddress(text)!, answerOn: [] }));
}

/** In order, each once. */
function distinct(owned: readonly OwnedAddress[]): readonly OwnedAddress[] {
  const sorted = [...owned].sort((a, b) => compareIpAddress(a.address, b.address));
  return sorted.filter(
    ({ address }, index) => index === 0 || compareIpAddress(sorted[index - 1]!.address, address) !== 0,
  );
}

function serviceVips(service: Service, ingress: readonly string[], nodeName: string, intent: Intent): ServedPort[] {
  const policies = policiesFor(service, intent);
  return ingress.flatMap((text) => {
    const address = parseIpAddress(text)!;
    return service.ports.map((port): ServedPort => {
      const { protocol } = port;
      const mode = forwardingMode(service, protocol, intent);
      return {
        key: `${text} ${port.port} ${protocol}`,
        vip: {
          service: serviceKey(service),
          address,
          port: port.port,
          protocol,
          mode,
          backends: usableBackends(service, port, nodeName, address.family, mode, intent),
          balancing: service.balancing ?? intent.settings.balancing,
          affinity: service.affinitySeconds !== null,
          ...(service.affinitySeconds === null ? {} : { affinitySeconds: service.affinitySeconds }),
          sources: service.clients,
          sourceNat: service.sourceNat ?? intent.settings.sourceNat,
          policies,
        },
      };
    });
  });
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
  const inReach = port.backends.filter(
    (backend) =>
      backend.address.family === family &&
      (service.externalTrafficPolicy === "cluster" || isLocalTo(backend, nodeName)) &&
      (mode === "nat" || receivingObstacle(backend, intent) === null),
  );
  const reachable = nearBackends(inReach, intent, nodeName);
  const usableState = reachable.some(({ state }) => state === "ready") ? "ready" : "serving";
  const isUsable = ({ state }: ServiceBackend) => state === usableState;
  // Where the node's gateway starts or ends, nobody would turn the replies round just now: others are preferred.
  const isReceived = (backend: ServiceBackend) => isUsable(backend) && (mode === "nat" || isReceiving(backend, intent));
  const isChosen = reachable.some(isReceived) ? isReceived : isUsable;
  return reachable.map((backend) => ({
    address: backend.address,
    port: backend.port,
    weight: backend.weight ?? 1,
    draining: !isChosen(backend),
    node: mode === "nat" ? null : receivingNode(backend, intent),
  }));
}

/**
 * Direct server return in the plan: which Services use it, where their backends' nodes take requests, and what a node
 * needs for both halves of it.
 */
import type { BackendSpec, DsrSpec, ForwardingMode, VipSpec } from "../dataplane/forwarding-spec.ts";
import { NO_DSR } from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Service, ServiceBackend, ServiceProtocol } from "../intent/service.ts";
import { addressBits, formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";

/** How requests of a Service reach its backends: what it asks for itself, or else what holds for all. */
export function forwardingMode(service: Service, protocol: ServiceProtocol, intent: Intent): ForwardingMode {
  const { forwarding, dsrDispatch } = intent.settings;
  const general = forwarding === "dsr" || (forwarding === "hybrid" && protocol === "TCP") ? "dsr" : "snat";
  return (service.forwarding ?? general) === "dsr" ? `dsr-${dsrDispatch}` : "nat";
}

/**
 * Where a backend's requests are sent, and who turns its replies round: an address of its node, of the backend's family
 * where the node has one. `null`: the backend itself, which runs on no node that we know of.
 */
export function receivingNode(backend: ServiceBackend, intent: Intent): IpAddress | null {
  const node = intent.nodes.find(({ name }) => name === backend.node);
  if (node === undefined) return null;
  return nodeAddress(node, backend.address.family) ?? node.internalAddresses[0] ?? null;
}

/** Why nobody would turn a backend's replies round; `null` when somebody does. */
export function receivingObstacle({ node: name }: ServiceBackend, intent: Intent): string | null {
  if (name === null) return null;
  const node = intent.nodes.find((one) => one.name === name);
  if (node === undefined) return `there is no Node object ${name}`;
  return node.internalAddresses.length > 0 ? null : `the Node ${name} has no InternalIP`;
}

/**
 * Whether the gateway of a backend's node takes part just now, as far as anything tells. The node that asks goes by the same
 * word as the others: what it gets of connections that they began must go where they sent it.
 */
export function isReceiving({ node }: ServiceBackend, { gateways }: Intent): boolean {
  return gateways === null || node === null || gateways.includes(node);
}

/** Our ends of tunnels and who may send to them; nothing while no Service uses direct server return. */
export function dsrOnNode(vips: readonly VipSpec[], intent: Intent, nodeName: string): DsrSpec {
  const own = intent.nodes.find(({ name }) => name === nodeName);
  if (own === undefined || vips.every(({ mode }) => mode === "nat")) return NO_DSR;
  const others = intent.nodes.filter(({ name }) => name !== nodeName);
  return {
    ...NO_DSR,
    tunnel4: nodeAddress(own, 4),
    tunnel6: nodeAddress(own, 6),
    peers: others
      .flatMap(({ internalAddresses }) => internalAddresses)
      .map((address) => ({ address, prefixLength: addressBits(address.family) })),
  };
}

/** The obstacles of a Service's backends, each with the backend's address; those backends get no requests. */
export function receivingProblems(service: Service, intent: Intent): string[] {
  const problems = new Map<string, string>();
  for (const { protocol, backends } of service.ports) {
    if (forwardingMode(service, protocol, intent) === "nat") continue;
    for (const backend of backends) {
      const obstacle = receivingObstacle(backend, intent);
      if (obstacle === null) continue;
      const address = formatIpAddress(backend.address);
      const words = `its backend ${address} gets no requests: ${obstacle}, so nobody would send its replies as the Service`;
      problems.set(address, words);
    }
  }
  return [...problems.values()];
}

/** Whether a backend is on the node that a spec is for, by the tunnels' ends. */
export function isOnNode({ node }: BackendSpec, { tunnel4, tunnel6 }: DsrSpec): boolean {
  const end = node?.family === 4 ? tunnel4 : tunnel6;
  return node !== null && end !== null && node.value === end.value;
}

function nodeAddress({ internalAddresses }: ClusterNode, family: IpFamily): IpAddress | null {
  return internalAddresses.find((address) => address.family === family) ?? null;
}

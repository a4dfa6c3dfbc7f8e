/** What an operator should know about a plan although every object in it is valid: why something they expect is missing. */
import type { BgpPolicy } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import { type Service, serviceKey } from "../intent/service.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { isSwitchedOn, passwordFor, selectsNode } from "./bgp-on-node.ts";
import { receivingProblems } from "./direct-server-return.ts";
import { l2Problems } from "./l2-problems.ts";
import type { NodeSummary, ServicePlan } from "./plan.ts";
import { PlanMemory } from "./plan-memory.ts";

export function planProblems(
  intent: Intent,
  services: Readonly<Record<string, ServicePlan>>,
  nodes: Readonly<Record<string, NodeSummary>>,
  memory: Pick<PlanMemory, "problems"> = new PlanMemory(),
): readonly Problem[] {
  return [
    ...bgpProblems(intent),
    ...l2Problems(intent),
    ...otherAllocators(intent),
    ...Object.entries(nodes).flatMap(([name, { conditions }]) =>
      conditions.map(({ message }) => warning(`Node/${name}`, "", message)),
    ),
    ...intent.services.flatMap((service) =>
      memory.problems.of(serviceKey(service), [service, intent.nodes, intent.settings], () =>
        service.wantsLoadBalancer ? [...unknownNodes(service, intent), ...unanswered(service, intent)] : [],
      ),
    ),
    ...contestedPorts(intent, services),
  ];
}

/** Two that give addresses take them from each other in the end. */
function otherAllocators(intent: Intent): Problem[] {
  const found = intent.services.filter(
    (one) => one.allocatedBy === "MetalLB" && addressSource(one, intent) === "pools",
  );
  if (found.length === 0) return [];
  const names = found.slice(0, 3).map(serviceKey).join(", ");
  const others = found.length > 3 ? ` and ${found.length - 3} more` : "";
  const message =
    `MetalLB's controller says that it gave ${names}${others} their addresses; if it still runs, ` +
    "leave that to one of the two (`sluice run --no-ipam`)";
  return [warning("", "", message)];
}

function bgpProblems(intent: Intent): Problem[] {
  const isOff = intent.bgpPolicies.some((policy) => !isSwitchedOn(policy, intent));
  const message = 'is not "true", so no BGP session is opened although there are policies';
  const off = isOff ? [warning("ConfigMap/kube-system/cilium-config", "data.enable-bgp-control-plane", message)] : [];
  const inForce = intent.bgpPolicies.filter((policy) => isSwitchedOn(policy, intent));
  const ofPolicies = inForce.flatMap((policy) => [
    ...(intent.nodes.some((node) => selectsNode(policy, node))
      ? []
      : [warning(policy.object, "spec.nodeSelector", "selects no node; check the labels of the Node objects")]),
    ...missingPasswords(policy, intent),
    ...missingConfigs(policy),
  ]);
  return [...off, ...ofPolicies];
}

function missingPasswords(policy: BgpPolicy, intent: Intent): Problem[] {
  return policy.virtualRouters.flatMap(({ neighbors }, router) =>
    neighbors.flatMap((neighbor, index) => {
      if (neighbor.passwordName === null || passwordFor(neighbor, intent) !== null) return [];
      const field =
        policy.generation === "peering-policy"
          ? `spec.virtualRouters[${router}].neighbors[${index}].authSecretRef`
          : "spec.authSecretRef";
      const place = neighbor.passwordName.includes("/") ? "" : `${intent.settings.bgpSecretsNamespace}/`;
      const secret = `Secret ${place}${neighbor.passwordName}`;
      const message = `there is no ${secret} with the key "password"; the session is tried without one`;
      return [warning(policy.object, field, message)];
    }),
  );
}

function missingConfigs({ object, missing }: BgpPolicy): Problem[] {
  return missing.map((name) =>
    warning(
      object,
      "spec.bgpInstances",
      `there is no CiliumBGPPeerConfig/${name}; the peers that name it are left out`,
    ),
  );
}

/** The slip of a copied manifest: its backends then count as local nowhere. */
function unknownNodes(service: Service, intent: Intent): Problem[] {
  if (!service.wantsLoadBalancer || intent.nodes.length === 0) return [];
  const known = new Set(intent.nodes.map(({ name }) => name));
  const strays = new Map<string, string>();
  for (const { address, node } of service.ports.flatMap(({ backends }) => backends)) {
    if (node !== null && !known.has(node)) strays.set(node, formatIpAddress(address));
  }
  return [...strays].map(([node, address]) =>
    warning(
      `Service/${serviceKey(service)}`,
      "",
      `its backend ${address} is on node ${node}, of which there is no Node object; it counts as local on no node`,
    ),
  );
}

/** Direct server return needs somebody on the backend's node. */
function unanswered(service: Service, intent: Intent): Problem[] {
  return receivingProblems(service, intent).map((message) => warning(`Service/${serviceKey(service)}`, "", message));
}

/** One address and port of two Services, which only a foreign allocator gives out: one of them is served. */
function contestedPorts(intent: Intent, services: Readonly<Record<string, ServicePlan>>): Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const service of intent.services) {
    if (addressSource(service, intent) === "other-controller") continue;
    const key = serviceKey(service);
    for (const address of services[key]!.ingress) {
      for (const { port, protocol } of service.ports) {
        const vip = `${address} port ${port}/${protocol}`;
        const owner = owners.get(vip);
        if (owner === undefined) owners.set(vip, key);
        else problems.push(warning(`Service/${key}`, "spec.ports", `${vip} is served for ${owner} already`));
      }
    }
  }
  return problems;
}

function warning(object: string, field: string, message: string): Problem {
  return { severity: "warning", object, field, message, where: null };
}

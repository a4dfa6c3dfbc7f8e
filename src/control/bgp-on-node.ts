/**
 * The BGP sessions of one node and the routes of each.
 *
 * Of Cilium's policies at most one holds on a node: one of the first generation before any of the second, and of the
 * second the eldest. MetalLB's sessions stand beside them.
 */
import type { InstanceSpec, PeerSpec, RouteSpec, SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { BgpNeighbor, BgpPolicy, VirtualRouter } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { matchesAny } from "../intent/selector.ts";
import { byAge } from "../ipam/age.ts";
import type { Condition } from "../ipam/condition.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { formatIpv4, ipv4FromNumber } from "../net/ipv4.ts";
import { type RouteSources, routesToNeighbor } from "./bgp-routes.ts";

export interface NodeBgp {
  readonly spec: SpeakerSpec;
  readonly conditions: readonly Condition[];
}

export function bgpOnNode(intent: Intent, sources: RouteSources, node: ClusterNode): NodeBgp {
  const policies = policiesOnNode(intent, node);
  if (policies.length === 0) return { spec: { instances: [] }, conditions: [] };
  const peering = policies.filter(({ generation }) => generation === "peering-policy");
  if (peering.length > 1) return bgpOff("PolicyConflict", severalPolicies(peering));
  if (node.internalAddresses.length === 0) {
    return bgpOff("NoNodeAddress", "BGP is off on this node: its Node object has no address of type InternalIP");
  }
  const instances = policies.flatMap((policy) =>
    policy.virtualRouters.map((router) => instanceOf(intent, sources, node, overridden(policy, router, node))),
  );
  return { spec: { instances: joined(instances) }, conditions: [] };
}

/** Those that hold on a node; several of the first generation are a conflict, which leaves the node without BGP. */
export function policiesOnNode(intent: Intent, node: ClusterNode): readonly BgpPolicy[] {
  const selecting = intent.bgpPolicies.filter((policy) => isSwitchedOn(policy, intent) && selectsNode(policy, node));
  const of = (generation: BgpPolicy["generation"]) => selecting.filter((policy) => policy.generation === generation);
  const peering = of("peering-policy");
  if (peering.length > 0) return [...peering, ...of("session")];
  const configs = of("cluster-config").sort((a, b) => byAge(aged(a), aged(b)));
  return [...(configs.length > 0 ? configs.slice(0, 1) : of("node-config")), ...of("session")];
}

/** Cilium's ConfigMap switches Cilium's policies; MetalLB's sessions beside a Cilium that does no BGP are meant. */
export function isSwitchedOn({ generation }: BgpPolicy, { settings }: Intent): boolean {
  return generation === "session" || settings.bgpEnabled;
}

function aged({ createdAtMilliseconds, object }: BgpPolicy) {
  return { createdAtMilliseconds, name: object };
}

export function selectsNode(policy: BgpPolicy, node: ClusterNode): boolean {
  if (policy.nodeName !== null && policy.nodeName !== node.name) return false;
  return matchesAny(policy.nodeSelectors, node.labels);
}

function bgpOff(reason: string, message: string): NodeBgp {
  return {
    spec: { instances: [] },
    conditions: [{ type: "sluice.dev/BGPReady", status: "False", reason, message }],
  };
}

function severalPolicies(policies: readonly BgpPolicy[]): string {
  const names = policies.map(({ object }) => object).join(" and ");
  return `BGP is off on this node: ${names} select it, and only one may; narrow spec.nodeSelector`;
}

/** The router as the node has it: annotations for the first generation, override objects for the second. */
function overridden(policy: BgpPolicy, router: VirtualRouter, node: ClusterNode): VirtualRouter {
  const annotated = node.bgpOverrides.find(({ localAsn }) => localAsn === router.localAsn);
  const named = policy.overrides.find((one) => one.node === node.name && one.router === router.name);
  const applies = policy.generation === "peering-policy" ? annotated : named;
  return {
    ...router,
    localAsn: named?.localAsn ?? router.localAsn,
    routerId: applies?.routerId ?? router.routerId,
    listenPort: applies?.listenPort ?? router.listenPort,
    neighbors: router.neighbors.map((neighbor) => ({
      ...neighbor,
      localAddress: named?.localAddresses[neighbor.name ?? ""] ?? neighbor.localAddress,
    })),
  };
}

function instanceOf(intent: Intent, sources: RouteSources, node: ClusterNode, router: VirtualRouter): InstanceSpec {
  return {
    localAsn: router.localAsn,
    routerId: router.routerId ?? defaultRouterId(node),
    listenPort: router.listenPort,
    peers: router.neighbors.map((neighbor) =>
      peerSpec(intent, neighbor, routesToNeighbor({ intent, sources, node, router, neighbor })),
    ),
  };
}

/** The node's IPv4 address; without one, what its IPv6 address ends in. */
function defaultRouterId(node: ClusterNode): string {
  const ipv4 = node.internalAddresses.find(({ family }) => family === 4);
  if (ipv4 !== undefined) return formatIpAddress(ipv4);
  return formatIpv4(ipv4FromNumber(Number(node.internalAddresses[0]!.value & 0xffffffffn)));
}

/** MetalLB says the AS number with each session; those of one router are shown together. */
function joined(instances: readonly InstanceSpec[]): readonly InstanceSpec[] {
  const routers = new Map<string, InstanceSpec>();
  for (const instance of instances) {
    const key = `${instance.localAsn} ${instance.routerId}`;
    const known = routers.get(key);
    routers.set(
      key,
      known === undefined
        ? instance
        : {
            ...known,
            listenPort: known.listenPort ?? instance.listenPort,
            peers: [...known.peers, ...instance.peers],
          },
    );
  }
  return [...routers.values()];
}

function peerSpec(intent: Intent, neighbor: BgpNeighbor, routes: readonly RouteSpec[]): PeerSpec {
  const { discovery } = neighbor;
  const address = discovery === undefined ? formatIpAddress(neighbor.address) : "";
  return {
    name: neighbor.name ?? (neighbor.port === 179 ? address : `${address} port ${neighbor.port}`),
    address,
    port: neighbor.port,
    asn: neighbor.asn,
    localAddress: neighbor.localAddress === null ? null : formatIpAddress(neighbor.localAddress),
    connectRetrySeconds: neighbor.connectRetrySeconds,
    holdTimeSeconds: neighbor.holdTimeSeconds,
    keepaliveTimeSeconds: neighbor.keepaliveTimeSeconds,
    ebgpMultihopTtl: neighbor.ebgpMultihopTtl,
    password: passwordFor(neighbor, intent),
    families: neighbor.families,
    gracefulRestartSeconds: neighbor.gracefulRestartSeconds,
    routes,
    ...(discovery === undefined ? {} : { discovery }),
    ...(neighbor.bfd === undefined ? {} : { bfd: neighbor.bfd }),
    // IPv4 routes over a session between IPv6 addresses have an IPv6 next hop where the node has no other.
    ...(neighbor.address.family === 6 && neighbor.families.some(({ afi }) => afi === "ipv4")
      ? { extendedNextHop: true }
      : {}),
  };
}

/** As in Cilium a session whose password is missing is tried without one; `planProblems` says so. */
export function passwordFor({ passwordName }: BgpNeighbor, { bgpPasswords }: Intent): string | null {
  return passwordName !== null && Object.hasOwn(bgpPasswords, passwordName) ? bgpPasswords[passwordName]! : null;
}

/** The BGP sessions of one node and the routes of each: policies of the first generation, one per node. */
import type { InstanceSpec, PeerSpec, RouteSpec, SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { BgpNeighbor, BgpPolicy } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { matches } from "../intent/selector.ts";
import type { Condition } from "../ipam/condition.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { routesToNeighbor } from "./bgp-routes.ts";
import type { ServicePlan } from "./plan.ts";

export interface NodeBgp {
  readonly spec: SpeakerSpec;
  readonly conditions: readonly Condition[];
}

export function bgpOnNode(intent: Intent, services: Readonly<Record<string, ServicePlan>>, node: ClusterNode): NodeBgp {
  if (!intent.settings.bgpEnabled) return { spec: { instances: [] }, conditions: [] };
  const policies = intent.bgpPolicies.filter((policy) => selectsNode(policy, node));
  if (policies.length === 0) return { spec: { instances: [] }, conditions: [] };
  if (policies.length > 1) return bgpOff("PolicyConflict", severalPolicies(policies));
  const nodeAddress = node.internalAddresses.find((address) => address.family === 4);
  if (nodeAddress === undefined) {
    return bgpOff("NoNodeAddress", "BGP is off on this node: its Node object has no IPv4 address of type InternalIP");
  }
  const nextHop = formatIpAddress(nodeAddress);
  const instances = policies[0]!.virtualRouters.map((router): InstanceSpec => {
    const override = node.bgpOverrides.find(({ localAsn }) => localAsn === router.localAsn);
    return {
      localAsn: router.localAsn,
      routerId: override?.routerId ?? nextHop,
      listenPort: override?.listenPort ?? null,
      peers: router.neighbors.map((neighbor) =>
        peerSpec(intent, neighbor, routesToNeighbor({ intent, services, node, nextHop, router, neighbor })),
      ),
    };
  });
  return { spec: { instances }, conditions: [] };
}

export function selectsNode(policy: BgpPolicy, node: ClusterNode): boolean {
  return policy.nodeSelector === null || matches(policy.nodeSelector, node.labels);
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

function peerSpec(intent: Intent, neighbor: BgpNeighbor, routes: readonly RouteSpec[]): PeerSpec {
  const address = formatIpAddress(neighbor.address);
  return {
    // This generation of policies has no names for peers.
    name: neighbor.port === 179 ? address : `${address} port ${neighbor.port}`,
    address,
    port: neighbor.port,
    asn: neighbor.asn,
    localAddress: null,
    connectRetrySeconds: neighbor.connectRetrySeconds,
    holdTimeSeconds: neighbor.holdTimeSeconds,
    keepaliveTimeSeconds: neighbor.keepaliveTimeSeconds,
    ebgpMultihopTtl: neighbor.ebgpMultihopTtl,
    password: passwordFor(neighbor, intent),
    families: neighbor.families,
    gracefulRestartSeconds: neighbor.gracefulRestartSeconds,
    routes,
  };
}

/** As in Cilium a session whose password is missing is tried without one; `planProblems` says so. */
export function passwordFor({ passwordName }: BgpNeighbor, { bgpPasswords }: Intent): string | null {
  return passwordName !== null && Object.hasOwn(bgpPasswords, passwordName) ? bgpPasswords[passwordName]! : null;
}

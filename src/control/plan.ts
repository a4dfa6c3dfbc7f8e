/**
 * What follows from an Intent, for all nodes: which Service has which address, who may announce it, and what every router
 * is told. Pure: the same Intent gives the same Plan, and the Intent that holds the Plan's addresses gives it again.
 *
 * The value is printed by `sluice plan` as it is, so its names are those of Kubernetes' users.
 */
import type { InstanceSpec, PeerSpec } from "../bgp/speaker-spec.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Problem } from "../intent/problem.ts";
import { serviceKey } from "../intent/service.ts";
import type { Allocation } from "../ipam/allocate.ts";
import { type Condition, conflictCondition, countCondition, type ServiceEvent } from "../ipam/condition.ts";
import { serviceDialect } from "../ipam/responsibility.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { bgpOnNode, type NodeBgp } from "./bgp-on-node.ts";
import { type RouteSources, routeSources } from "./bgp-routes.ts";
import { eligibility } from "./eligibility.ts";
import { type L2Address, l2Addresses } from "./l2-addresses.ts";
import { l2OnNode } from "./l2-on-node.ts";
import { objectConditions } from "./object-conditions.ts";
import { PlanMemory } from "./plan-memory.ts";
import { planProblems } from "./plan-problems.ts";

export interface ServicePlan {
  readonly ingress: readonly string[];
  readonly pool: string | null;
  readonly conditions: readonly Condition[];
  readonly events: readonly ServiceEvent[];
  readonly eligibleNodes: readonly string[];
  readonly notEligible: Readonly<Record<string, string>>;
}

/** Counts are text: a v6 pool has more addresses than JSON has exact numbers. */
export interface PoolPlan {
  readonly total: string;
  readonly available: string;
  readonly used: string;
  readonly conflict: boolean;
  /** Of a pool of Cilium's. */
  readonly conditions: readonly Condition[];
  /** Of a pool of MetalLB's: its status, as it is written. */
  readonly status?: PoolAddressCounts;
}

/** As MetalLB writes them: whole numbers, capped where they are no longer exact. */
interface PoolAddressCounts {
  readonly assignedIPv4: number;
  readonly assignedIPv6: number;
  readonly availableIPv4: number;
  readonly availableIPv6: number;
}

/** A session as it is shown: everything but its password. */
type PeerPlan = Omit<PeerSpec, "password">;

interface BgpInstancePlan {
  readonly localASN: number;
  readonly routerID: string;
  readonly listen: number | null;
  readonly peers: readonly PeerPlan[];
}

export interface L2AddressPlan {
  readonly address: string;
  readonly interfaces: readonly string[];
  readonly owner: boolean;
  readonly service: string;
}

export interface NodeSummary {
  readonly bgp: readonly BgpInstancePlan[];
  readonly l2: readonly L2AddressPlan[];
  readonly conditions: readonly Condition[];
}

export interface Plan {
  readonly services: Readonly<Record<string, ServicePlan>>;
  readonly pools: Readonly<Record<string, PoolPlan>>;
  readonly nodes: Readonly<Record<string, NodeSummary>>;
  /** The owner's name by address. */
  readonly l2Owners: Readonly<Record<string, string>>;
  /** The conditions of other objects that have some, by `Kind/name`. */
  readonly objects: Readonly<Record<string, { readonly conditions: readonly Condition[] }>>;
  readonly problems: readonly Problem[];
}

export interface PlanScope {
  /** Leaves out what the other nodes are told, which a running process has no use for; `null` is all nodes. */
  readonly nodeName: string | null;
  /** False where somebody else gives the addresses, and what is not held is not announced. */
  readonly givesAddresses: boolean;
}

// One list, so that it is recognised as the same.
const NO_LINKS: readonly L2Address[] = [];

const EVERYTHING: PlanScope = { nodeName: null, givesAddresses: true };

export function plan(
  intent: Intent,
  { nodeName, givesAddresses }: PlanScope = EVERYTHING,
  memory: PlanMemory = new PlanMemory(),
): Plan {
  const allocation = memory.allocation.allocate(intent, givesAddresses);
  const services = planServices(intent, allocation, memory);
  const sources = routeSources(intent, services, memory);
  const links = recalledLinks(intent, services, memory);
  const nodes: Record<string, NodeSummary> = {};
  const bgp = new Map<string, NodeBgp>();
  for (const node of intent.nodes) {
    if (nodeName !== null && nodeName !== node.name) continue;
    const made = recalledBgp(intent, sources, node, memory);
    const { spec, conditions } = made;
    bgp.set(node.name, made);
    nodes[node.name] = { bgp: spec.instances.map(showInstance), l2: l2OnNode(links, node.name), conditions };
  }
  const problems = planProblems(intent, services, nodes, memory);
  memory.endRound({ bgp, links });
  return {
    services,
    pools: planPools(intent, allocation),
    nodes,
    l2Owners: Object.fromEntries(links.map(({ address, candidates }) => [address, candidates[0]!.node])),
    objects: objectConditions(intent),
    problems,
  };
}

function planServices(intent: Intent, allocation: Allocation, memory: PlanMemory): Record<string, ServicePlan> {
  const services: Record<string, ServicePlan> = {};
  const { nodes, pools, settings, bgpPolicies, l2Policies } = intent;
  for (const service of intent.services) {
    const key = serviceKey(service);
    const given = allocation.services.get(key)!;
    const ingress = memory.ingress.of(key, [given], () => given.addresses.map(formatIpAddress));
    const inputs = [service, given, nodes, pools, settings, bgpPolicies, l2Policies];
    services[key] = memory.services.of(key, inputs, () => {
      const { pool, conditions, events } = given;
      const dialect = serviceDialect(service, pool, intent);
      return { ingress, pool, conditions, events, ...eligibility(service, ingress.length > 0, intent, dialect) };
    });
  }
  return services;
}

function recalledBgp(intent: Intent, sources: RouteSources, node: ClusterNode, memory: PlanMemory): NodeBgp {
  const inputs = [sources, node, intent.bgpPolicies, intent.bgpPasswords, intent.settings];
  return memory.bgp.of(node.name, inputs, () => bgpOnNode(intent, sources, node));
}

function recalledLinks(
  intent: Intent,
  services: Readonly<Record<string, ServicePlan>>,
  memory: PlanMemory,
): readonly L2Address[] {
  if (intent.l2Policies.length === 0) return NO_LINKS;
  const { nodes, pools, settings, l2Policies } = intent;
  const inputs = [nodes, pools, settings, l2Policies, ...intent.services, ...Object.values(services)];
  return memory.links.of("", inputs, () => l2Addresses(intent, services));
}

function planPools(intent: Intent, allocation: Allocation): Record<string, PoolPlan> {
  const pools: Record<string, PoolPlan> = {};
  for (const { name, dialect } of intent.pools) {
    const { total, available, used, conflict, families } = allocation.pools.get(name)!;
    pools[name] = {
      total: String(total),
      available: String(available),
      used: String(used),
      conflict: conflict !== null,
      conditions:
        dialect === "metallb"
          ? []
          : [
              conflictCondition(conflict),
              countCondition("IPsTotal", total),
              countCondition("IPsAvailable", available),
              countCondition("IPsUsed", used),
            ],
      ...(dialect === "metallb"
        ? {
            status: {
              assignedIPv4: capped(families[4].assigned),
              assignedIPv6: capped(families[6].assigned),
              availableIPv4: capped(families[4].available),
              availableIPv6: capped(families[6].available),
            },
          }
        : {}),
    };
  }
  return pools;
}

function capped(count: bigint): number {
  return Number(count < BigInt(Number.MAX_SAFE_INTEGER) ? count : BigInt(Number.MAX_SAFE_INTEGER));
}

function showInstance(instance: InstanceSpec): BgpInstancePlan {
  return {
    localASN: instance.localAsn,
    routerID: instance.routerId,
    listen: instance.listenPort,
    peers: instance.peers.map(({ password: _secret, ...peer }) => peer),
  };
}

/**
 * The addresses that are answered for on links: from the policies of both dialects, who may answer for which, and where.
 *
 * An address that several Services share has one owner, so only those nodes are candidates that may attract the traffic of
 * all of them; where there is none, those that may attract the traffic of the most.
 */
import type { Intent } from "../intent/intent.ts";
import type { InterfaceChoice, L2Policy } from "../intent/l2-policy.ts";
import type { ClusterNode } from "../intent/node.ts";
import { matches, matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import { L2_CLASS } from "../ipam/responsibility.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { externalAddressObstacle } from "./eligibility.ts";
import { type L2Candidate, rankCandidates } from "./l2-owners.ts";
import type { ServicePlan } from "./plan.ts";

export interface L2Address {
  readonly address: string;
  /** Keys of those that have it, in order. */
  readonly services: readonly string[];
  /** The owner first, then those who would follow it. */
  readonly candidates: readonly L2Candidate[];
}

/** What one Service wants for one address. */
interface Wish {
  readonly service: string;
  readonly address: string;
  readonly key: string;
  readonly candidates: readonly L2Candidate[];
}

/** In the order of Services and of their addresses; those that nobody may answer for are left out. */
export function l2Addresses(intent: Intent, services: Readonly<Record<string, ServicePlan>>): readonly L2Address[] {
  const policies = policiesInForce(intent);
  if (policies.length === 0) return [];
  const wishes = intent.services.flatMap((service) =>
    wishesOf(service, services[serviceKey(service)]!, policies, intent),
  );
  return [...Map.groupBy(wishes, ({ address }) => address)].flatMap(([address, group]) => {
    const candidates = sharedCandidates(group);
    if (candidates.length === 0) return [];
    return {
      address,
      services: group.map(({ service }) => service),
      candidates: rankCandidates(candidates, group[0]!.key),
    };
  });
}

/** Those of Cilium's are switched by its ConfigMap. */
export function policiesInForce({ l2Policies, settings }: Intent): readonly L2Policy[] {
  return l2Policies.filter(
    ({ dialect, faults }) => Object.keys(faults).length === 0 && (dialect === "metallb" || settings.l2Enabled),
  );
}

/** The interfaces of a node that a policy chooses; `null` where none fits. Empty when nothing says which ones it has. */
export function chosenInterfaces(
  choices: readonly InterfaceChoice[] | null,
  { interfaces }: ClusterNode,
): readonly string[] | null {
  if (choices === null) return interfaces ?? [];
  if (interfaces === null) return choices.flatMap(({ text, expression }) => (expression === null ? [text] : []));
  const chosen = interfaces.filter((name) => choices.some((choice) => fits(choice, name)));
  return chosen.length === 0 ? null : chosen;
}

function fits({ text, expression }: InterfaceChoice, name: string): boolean {
  return expression === null ? text === name : new RegExp(expression, "v").test(name);
}

/** Whether a policy is about a Service at all, whatever its addresses are. */
export function selectsService(policy: L2Policy, service: Service): boolean {
  const { loadBalancerClass } = service;
  const isOurs = loadBalancerClass === null || (policy.dialect === "cilium" && loadBalancerClass === L2_CLASS);
  return isOurs && matchesAny(policy.serviceSelectors, selectableLabels(service));
}

function wishesOf(service: Service, planned: ServicePlan, policies: readonly L2Policy[], intent: Intent): Wish[] {
  const selecting = policies.filter((policy) => selectsService(policy, service));
  if (selecting.length === 0) return [];
  const external = service.externalAddresses.map(formatIpAddress);
  const eligible = new Set(planned.eligibleNodes);
  const forBalanced = selecting.filter(
    (policy) => policy.loadBalancerAddresses && givenBy(policy, planned.pool, intent),
  );
  const forExternal = selecting.filter((policy) => policy.externalAddresses);
  const balanced = candidatesOf(
    forBalanced,
    intent.nodes.filter(({ name }) => eligible.has(name)),
  );
  const outer =
    forExternal.length === 0 || external.length === 0
      ? []
      : candidatesOf(
          forExternal,
          intent.nodes.filter((node) => externalAddressObstacle(service, node, intent) === null),
        );
  const key = planned.ingress[0] ?? external[0] ?? "";
  const wish = (address: string, candidates: readonly L2Candidate[]): Wish => ({
    service: serviceKey(service),
    address,
    key,
    candidates,
  });
  return [
    ...planned.ingress.map((address) => wish(address, balanced)),
    ...external.filter((address) => !planned.ingress.includes(address)).map((address) => wish(address, outer)),
  ];
}

/** MetalLB's advertisements are about addresses of MetalLB's pools, or of a pool that nobody described. */
function givenBy({ dialect, pools }: L2Policy, pool: string | null, intent: Intent): boolean {
  if (dialect === "cilium") return true;
  if (pool === null) return pools === null;
  if (pools !== null) return pools.includes(pool);
  return intent.pools.some((one) => one.name === pool && one.dialect === "metallb");
}

function candidatesOf(policies: readonly L2Policy[], nodes: readonly ClusterNode[]): L2Candidate[] {
  return nodes.flatMap((node): L2Candidate[] => {
    const selecting = policies.filter(({ nodeSelectors }) => matchesAny(nodeSelectors, node.labels));
    const chosen = selecting
      .map(({ interfaces }) => chosenInterfaces(interfaces, node))
      .filter((list) => list !== null);
    if (chosen.length === 0) return [];
    const preferences = selecting.flatMap((policy) => policy.preferences);
    const score = preferences.reduce((sum, one) => sum + (matches(one.selector, node.labels) ? one.weight : 0), 0);
    return [{ node: node.name, interfaces: [...new Set(chosen.flat())].sort(), score }];
  });
}

function sharedCandidates(wishes: readonly Wish[]): L2Candidate[] {
  const byNode = Map.groupBy(
    wishes.flatMap(({ candidates }) => candidates),
    ({ node }) => node,
  );
  const most = Math.max(0, ...[...byNode.values()].map((group) => group.length));
  return [...byNode.values()]
    .filter((group) => group.length === most)
    .map((group) => ({
      node: group[0]!.node,
      interfaces: [...new Set(group.flatMap(({ interfaces }) => interfaces))].sort(),
      score: group.reduce((sum, { score }) => sum + score, 0),
    }));
}

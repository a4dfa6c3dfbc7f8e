/** Whether one node answers for the addresses of a Service on a link, and why not. */
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { matchesAny } from "../intent/selector.ts";
import type { Service } from "../intent/service.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { chosenInterfaces, policiesInForce, selectsService } from "./l2-addresses.ts";
import type { Plan, ServicePlan } from "./plan.ts";

export interface LinkExplanation {
  readonly address: string;
  readonly interfaces: readonly string[];
  readonly owner: boolean;
  /** Why it does not answer; `null` when it does. */
  readonly because: string | null;
}

/** None where no policy speaks of links at all. */
export function explainLinks(
  intent: Intent,
  plan: Plan,
  service: Service,
  planned: ServicePlan,
  node: ClusterNode,
): readonly LinkExplanation[] {
  if (intent.l2Policies.length === 0) return [];
  const addresses = new Set([...planned.ingress, ...service.externalAddresses.map(formatIpAddress)]);
  return [...addresses].map((address) => {
    const own = plan.nodes[node.name]!.l2.find((one) => one.address === address);
    if (own === undefined) {
      return { address, interfaces: [], owner: false, because: obstacle(intent, service, planned, node) };
    }
    const because = own.owner ? null : ownedElsewhere(plan.l2Owners[address]);
    return { address, interfaces: own.interfaces, owner: own.owner, because };
  });
}

function ownedElsewhere(owner: string | undefined): string {
  return owner === undefined
    ? "nobody answers for it just now"
    : `${owner} is to answer for it; this node would follow`;
}

function obstacle(intent: Intent, service: Service, planned: ServicePlan, node: ClusterNode): string {
  const onService = policiesInForce(intent).filter((policy) => selectsService(policy, service));
  if (onService.length === 0) return "no policy in force announces this Service on links";
  const onNode = onService.filter(({ nodeSelectors }) => matchesAny(nodeSelectors, node.labels));
  if (onNode.length === 0) return "no policy for this Service selects the labels of the node";
  if (onNode.every(({ interfaces }) => chosenInterfaces(interfaces, node) === null)) {
    return "no interface of the node fits spec.interfaces of the policy";
  }
  return (
    planned.notEligible[node.name] ??
    "the policies for this Service are not about this kind of address, or are for other pools"
  );
}

/** The routes that one node announces to one neighbour. */
import type { RouteSpec } from "../bgp/speaker-spec.ts";
import type { BgpNeighbor, RouteAttributes, VirtualRouter } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { isEmptySelector, type Labels, matches } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import { BGP_CLASS } from "../ipam/responsibility.ts";
import { compareIpAddress, formatIpAddress, type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { ServicePlan } from "./plan.ts";

export interface RouteQuestion {
  readonly intent: Intent;
  readonly services: Readonly<Record<string, ServicePlan>>;
  readonly node: ClusterNode;
  readonly nextHop: string;
  readonly router: VirtualRouter;
  readonly neighbor: BgpNeighbor;
}

/** One route before its text is made: routes to one prefix are joined. */
interface Candidate {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly attributes: readonly RouteAttributes[];
}

/** In the order of the prefixes, each once. */
export function routesToNeighbor(question: RouteQuestion): readonly RouteSpec[] {
  const { neighbor } = question;
  // IPv6 routes need a next hop of their own family (RFC 4760), which sessions do not carry yet.
  if (!neighbor.families.some(({ afi }) => afi === "ipv4")) return [];
  const candidates = [...podCandidates(question), ...serviceCandidates(question)]
    .filter(({ address }) => address.family === 4)
    .sort((a, b) => compareIpAddress(a.address, b.address) || a.prefixLength - b.prefixLength);
  const byPrefix = Map.groupBy(
    candidates,
    ({ address, prefixLength }) => `${formatIpAddress(address)}/${prefixLength}`,
  );
  return [...byPrefix.entries()].map(([prefix, group]) =>
    routeSpec(
      prefix,
      group.flatMap(({ attributes }) => attributes),
      question,
    ),
  );
}

function podCandidates({ router, node, neighbor }: RouteQuestion): Candidate[] {
  if (!router.exportPodCidrs) return [];
  const attributes = applicable(neighbor, "pod-cidr", node.labels);
  return node.podCidrs.map(({ range, prefixLength }) => ({
    address: { family: range.family, value: range.first },
    prefixLength,
    attributes,
  }));
}

function serviceCandidates({ intent, services, router, node, neighbor }: RouteQuestion): Candidate[] {
  return intent.services.flatMap((service) => {
    const { ingress, pool, eligibleNodes } = services[serviceKey(service)]!;
    if (!isAnnounced(service, router) || !eligibleNodes.includes(node.name)) return [];
    const poolLabels = intent.pools.find(({ name }) => name === pool)?.labels ?? {};
    const attributes = applicable(neighbor, "load-balancer-pool", poolLabels);
    return ingress.map((text) => ({ address: parseIpAddress(text)!, prefixLength: 32, attributes }));
  });
}

function isAnnounced(service: Service, { serviceSelector }: VirtualRouter): boolean {
  if (service.loadBalancerClass !== null && service.loadBalancerClass !== BGP_CLASS) return false;
  // An empty selector selects nothing here, unlike everywhere else: announcing is opt-in.
  if (serviceSelector === null || isEmptySelector(serviceSelector)) return false;
  return matches(serviceSelector, selectableLabels(service));
}

function applicable(neighbor: BgpNeighbor, to: RouteAttributes["appliesTo"], labels: Labels): RouteAttributes[] {
  return neighbor.attributes.filter(
    ({ appliesTo, selector }) => appliesTo === to && (selector === null || matches(selector, labels)),
  );
}

/** Overlapping attributes add up: all communities, the largest preference. */
function routeSpec(prefix: string, attributes: readonly RouteAttributes[], question: RouteQuestion): RouteSpec {
  const { router, neighbor, nextHop } = question;
  const isInternal = router.localAsn === neighbor.asn;
  const preferences = attributes.flatMap(({ localPreference }) => (localPreference === null ? [] : [localPreference]));
  return {
    prefix,
    nextHop,
    asPath: isInternal ? [] : [router.localAsn],
    localPreference: isInternal && preferences.length > 0 ? Math.max(...preferences) : null,
    communities: [...new Set(attributes.flatMap(({ communities }) => communities))].sort(),
    largeCommunities: [...new Set(attributes.flatMap(({ largeCommunities }) => largeCommunities))].sort(),
  };
}

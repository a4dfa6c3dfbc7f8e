/** The routes that one node announces to one neighbour. */
import { NEXT_HOP_SELF } from "../bgp/route-attributes.ts";
import type { RouteSpec } from "../bgp/speaker-spec.ts";
import type {
  Advertisement,
  BgpNeighbor,
  RouteAttributes,
  RouteCommunities,
  ServiceAddressKind,
  ServiceRoutes,
  VirtualRouter,
} from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { sameValue } from "../intent/same-value.ts";
import { type Labels, matches, matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import { BGP_CLASS } from "../ipam/responsibility.ts";
import { addressBits, compareIpAddress, formatIpAddress, type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { clusterAddressObstacle, externalAddressObstacle, nodesWithReadyBackend } from "./eligibility.ts";
import type { ServicePlan } from "./plan.ts";
import { PlanMemory } from "./plan-memory.ts";

/** What the routes of all sessions are made from, found once. */
export interface RouteSources {
  readonly services: readonly RoutedService[];
  readonly poolLabels: ReadonlyMap<string, Labels>;
}

export interface RoutedService {
  readonly service: Service;
  readonly labels: Labels;
  readonly addresses: readonly IpAddress[];
  readonly pool: string | null;
  readonly eligibleNodes: ReadonlySet<string>;
  /** Where a backend is ready, in order; `null` stands for everywhere. */
  readonly readyOn: readonly (string | null)[];
}

export interface RouteQuestion {
  readonly intent: Intent;
  readonly sources: RouteSources;
  readonly node: ClusterNode;
  readonly router: VirtualRouter;
  readonly neighbor: BgpNeighbor;
}

/** One route before its text is made: routes to one prefix are joined. */
interface Candidate {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly attributes: readonly RouteCommunities[];
}

export function routeSources(
  intent: Intent,
  services: Readonly<Record<string, ServicePlan>>,
  { routed, sources }: Pick<PlanMemory, "routed" | "sources"> = new PlanMemory(),
): RouteSources {
  const all = intent.services.map((service) => {
    const key = serviceKey(service);
    const planned = services[key]!;
    return routed.of(key, [service, planned], (before) => {
      const now = routedService(service, planned);
      return before !== undefined && routesTheSame(before, now) ? before : now;
    });
  });
  return sources.of("", [intent.pools, ...all], () => ({
    services: all,
    poolLabels: new Map(intent.pools.map(({ name, labels }) => [name, labels])),
  }));
}

function routedService(service: Service, { ingress, pool, eligibleNodes }: ServicePlan): RoutedService {
  return {
    service,
    labels: selectableLabels(service),
    addresses: ingress.map((text) => parseIpAddress(text)!),
    pool,
    eligibleNodes: new Set(eligibleNodes),
    readyOn: nodesWithReadyBackend(service),
  };
}

/** A change of endpoints that leaves it to the same nodes changes no route. */
function routesTheSame(a: RoutedService, b: RoutedService): boolean {
  const { ports: _a, ...serviceA } = a.service;
  const { ports: _b, ...serviceB } = b.service;
  return (
    a.pool === b.pool &&
    sameValue(serviceA, serviceB) &&
    sameValue(a.addresses, b.addresses) &&
    sameValue([...a.eligibleNodes], [...b.eligibleNodes]) &&
    sameValue(a.readyOn, b.readyOn)
  );
}

/** In the order of the prefixes, each once. */
export function routesToNeighbor(question: RouteQuestion): readonly RouteSpec[] {
  const { neighbor, node } = question;
  const spoken = neighbor.families.map(({ afi }) => (afi === "ipv4" ? 4 : 6));
  const candidates = neighbor.advertisements
    .filter(({ nodeSelectors }) => matchesAny(nodeSelectors, node.labels))
    .flatMap((advertisement) =>
      (advertisement.services === null
        ? podCandidates(advertisement, question)
        : serviceCandidates(advertisement, advertisement.services, question)
      ).filter(({ address: { family } }) => advertisement.families.includes(family) && spoken.includes(family)),
    )
    .sort((a, b) => compareIpAddress(a.address, b.address) || a.prefixLength - b.prefixLength);
  const byPrefix = Map.groupBy(
    candidates,
    ({ address, prefixLength }) => `${formatIpAddress(address)}/${prefixLength}`,
  );
  return [...byPrefix.entries()].flatMap(([prefix, group]) => {
    const nextHop = nextHopFor(group[0]!.address, question);
    if (nextHop === null) return [];
    return routeSpec(
      prefix,
      nextHop,
      group.flatMap(({ attributes }) => attributes),
      question,
    );
  });
}

/**
 * An address of the node: of the family of the prefix, or else of that of the session, which needs the extended next hop
 * encoding (RFC 8950). An IPv6 route has no next hop on a node without an IPv6 address.
 */
function nextHopFor(prefix: IpAddress, { node, neighbor }: RouteQuestion): string | null {
  // Where a link has no addresses, routers know the node by its link-local one alone.
  if (neighbor.discovery?.kind === "unnumbered") return NEXT_HOP_SELF;
  const of = (family: number) => node.internalAddresses.find((address) => address.family === family);
  const address = of(prefix.family) ?? (prefix.family === 4 ? of(neighbor.address.family) : undefined);
  return address === undefined ? null : formatIpAddress(address);
}

function podCandidates(advertisement: Advertisement, { node, neighbor }: RouteQuestion): Candidate[] {
  const attributes = [advertisement, ...applicable(neighbor, "pod-cidr", node.labels)];
  return node.podCidrs.map(({ range, prefixLength }) => ({
    address: { family: range.family, value: range.first },
    prefixLength,
    attributes,
  }));
}

function serviceCandidates(
  advertisement: Advertisement,
  { addresses: kinds, selectors, pools, aggregationLength }: ServiceRoutes,
  { intent, sources, node, neighbor }: RouteQuestion,
): Candidate[] {
  const candidates: Candidate[] = [];
  for (const routed of sources.services) {
    const { service, labels, pool } = routed;
    if (!isOurs(service, advertisement) || !matchesAny(selectors, labels)) continue;
    const poolLabels = (pool === null ? undefined : sources.poolLabels.get(pool)) ?? {};
    const attributes = [advertisement, ...applicable(neighbor, "load-balancer-pool", poolLabels)];
    for (const kind of kinds) {
      if (kind === "LoadBalancerIP" && pools !== null && (pool === null || !pools.includes(pool))) continue;
      // Where only some nodes take the traffic, a wider prefix would also attract what they don't.
      const isExact = aggregationLength === null || (advertisement.dialect === "cilium" && isLocal(service, kind));
      for (const address of announcedAddresses(kind, routed, node, intent)) {
        const prefixLength = isExact ? addressBits(address.family) : aggregationLength[address.family];
        candidates.push({ address: networkOf(address, prefixLength), prefixLength, attributes });
      }
    }
  }
  return candidates;
}

/** MetalLB's advertisements are about Services without a class, Cilium's also about those of its own. */
function isOurs({ loadBalancerClass }: Service, { dialect }: Advertisement): boolean {
  return loadBalancerClass === null || (dialect === "cilium" && loadBalancerClass === BGP_CLASS);
}

/** Cluster addresses follow the internal traffic policy, all others the external one. */
function isLocal(service: Service, kind: ServiceAddressKind): boolean {
  return (kind === "ClusterIP" ? service.internalTrafficPolicy : service.externalTrafficPolicy) === "local";
}

function announcedAddresses(
  kind: ServiceAddressKind,
  { service, addresses, eligibleNodes }: RoutedService,
  node: ClusterNode,
  intent: Intent,
): readonly IpAddress[] {
  switch (kind) {
    case "LoadBalancerIP":
      return eligibleNodes.has(node.name) ? addresses : [];
    case "ClusterIP":
      return clusterAddressObstacle(service, node, intent) === null ? service.clusterAddresses : [];
    case "ExternalIP":
      return externalAddressObstacle(service, node, intent) === null ? service.externalAddresses : [];
  }
}

function networkOf({ family, value }: IpAddress, prefixLength: number): IpAddress {
  const hostBits = BigInt(addressBits(family) - prefixLength);
  return { family, value: (value >> hostBits) << hostBits };
}

function applicable(neighbor: BgpNeighbor, to: RouteAttributes["appliesTo"], labels: Labels): RouteAttributes[] {
  return neighbor.attributes.filter(
    ({ appliesTo, selector }) => appliesTo === to && (selector === null || matches(selector, labels)),
  );
}

/** Overlapping attributes add up: all communities, the largest preference. */
function routeSpec(
  prefix: string,
  nextHop: string,
  attributes: readonly RouteCommunities[],
  { router, neighbor }: RouteQuestion,
): RouteSpec {
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

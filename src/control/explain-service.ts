/**
 * Why a Service is where it is: from the pools, by its address and the nodes, to the routes of each session, and at every
 * step where the answer is no, the reason.
 */
import type { RouteSpec, SessionState } from "../bgp/speaker-spec.ts";
import type { ForwardingMode } from "../dataplane/forwarding-spec.ts";
import type { BgpNeighbor } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import { poolObstacle } from "../ipam/pool-obstacle.ts";
import { addressSource } from "../ipam/responsibility.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseCidrRange, rangeContains } from "../net/ip-range.ts";
import { policiesOnNode } from "./bgp-on-node.ts";
import { forwardingMode, receivingProblems } from "./direct-server-return.ts";
import { explainLinks, type LinkExplanation } from "./explain-links.ts";
import type { Plan, ServicePlan } from "./plan.ts";

export interface ServiceExplanation {
  readonly service: string;
  /** Who gives its address. */
  readonly source: string;
  readonly ingress: readonly string[];
  readonly pool: string | null;
  readonly because: readonly string[];
  /** How requests reach its backends, by protocol. */
  readonly forwarding: Readonly<Record<string, string>>;
  /** Why each pool serves it (`null`) or does not. */
  readonly pools: Readonly<Record<string, string | null>>;
  readonly backends: Readonly<Record<"ready" | "serving" | "draining", number>>;
  readonly nodes: Readonly<Record<string, NodeExplanation>>;
}

interface NodeExplanation {
  /** Why it may not attract the traffic; `null` when it may. */
  readonly notEligible: string | null;
  readonly sessions: readonly SessionExplanation[];
  /** For each of its addresses; empty where nothing is announced on links. */
  readonly links: readonly LinkExplanation[];
}

interface SessionExplanation {
  readonly peer: string;
  readonly routes: readonly RouteSpec[];
  /** Why there is none; `null` when there is one. */
  readonly because: string | null;
  /** Why the router has not heard of them all the same; `null` while the session is up, and where nobody runs. */
  readonly trouble: SessionTrouble | null;
}

export interface SessionTrouble {
  readonly state: SessionState;
  /** ISO 8601: when it was up last, or since when it is configured. */
  readonly since: string;
  /** What ended or prevented it, and what to do about that, as far as it is known. */
  readonly why: string | null;
  readonly hint: string | null;
}

const SOURCES = {
  pools: "a pool of Sluice's",
  "other-allocator": "somebody else's allocator; Sluice announces and forwards what it finds",
  "other-controller": "another controller, which does everything; Sluice keeps its hands off",
  none: "nobody: it is no Service of type LoadBalancer",
} as const;

const FORWARDING: Readonly<Record<ForwardingMode, string>> = {
  nat: "translated, replies come back through the gateway",
  "dsr-opt": "direct server return, told by an option of the IP header",
  "dsr-geneve": "direct server return, in Geneve to the backend's node",
  "dsr-ipip": "direct server return, in IPIP to the backend's node",
  "dsr-gue": "direct server return, in GUE to the backend's node",
  "dsr-l2": "direct server return, over the link to the backend's node",
};

/** `null` when there is no such Service. */
export function explainService(intent: Intent, plan: Plan, key: string): ServiceExplanation | null {
  const service = intent.services.find((one) => serviceKey(one) === key);
  const planned = plan.services[key];
  if (service === undefined || planned === undefined) return null;
  const backends = { ready: 0, serving: 0, draining: 0 };
  for (const { state } of service.ports.flatMap((port) => port.backends)) backends[state]++;
  return {
    service: key,
    source: SOURCES[addressSource(service, intent)],
    ingress: planned.ingress,
    pool: planned.pool,
    because: [
      ...planned.conditions.filter(({ status }) => status === "False").map(({ message }) => message),
      ...planned.events.map(({ message }) => message),
      ...receivingProblems(service, intent),
      ...(planned.ingress.length === 0 ? [] : refusingPorts(service)),
    ],
    forwarding: Object.fromEntries(
      service.ports.map(({ protocol }) => [protocol, FORWARDING[forwardingMode(service, protocol, intent)]]),
    ),
    pools: Object.fromEntries(
      intent.pools.map((pool) => {
        const isConflicting = plan.pools[pool.name]?.conflict ?? false;
        return [pool.name, poolObstacle(pool, service, isConflicting, plan.pools[pool.name]?.available === "0")];
      }),
    ),
    backends,
    nodes: Object.fromEntries(
      intent.nodes.flatMap((node) =>
        plan.nodes[node.name] === undefined ? [] : [[node.name, explainNode(intent, plan, service, planned, node)]],
      ),
    ),
  };
}

/** What is on its way out takes new flows where nothing is ready (KEP-1669); the rest never. */
function refusingPorts({ ports }: Service): string[] {
  return ports
    .filter(({ backends }) => backends.every(({ state, weight }) => state === "draining" || weight === 0))
    .map(({ port, protocol }) => `no endpoint takes new connections to port ${port}/${protocol}: they are refused`);
}

function explainNode(
  intent: Intent,
  plan: Plan,
  service: Service,
  planned: ServicePlan,
  node: ClusterNode,
): NodeExplanation {
  const notEligible = planned.notEligible[node.name] ?? null;
  const neighbors = policiesOnNode(intent, node)
    .flatMap(({ virtualRouters }) => virtualRouters)
    .flatMap((router) => router.neighbors);
  const sessions = plan.nodes[node.name]!.bgp.flatMap(({ peers }) => peers).map((peer, index): SessionExplanation => {
    const routes = peer.routes.filter(({ prefix }) => covers(prefix, planned.ingress));
    const because =
      routes.length > 0 ? null : (notEligible ?? sessionObstacle(service, planned, neighbors[index], node));
    return { peer: peer.name, routes, because, trouble: null };
  });
  return { notEligible, sessions, links: explainLinks(intent, plan, service, planned, node) };
}

function covers(prefix: string, addresses: readonly string[]): boolean {
  const range = parseCidrRange(prefix)!;
  return addresses.some((text) => rangeContains(range, parseIpAddress(text)!));
}

function sessionObstacle(
  service: Service,
  { ingress, pool }: ServicePlan,
  neighbor: BgpNeighbor | undefined,
  node: ClusterNode,
): string {
  const forServices = (neighbor?.advertisements ?? []).flatMap((one) =>
    one.services?.addresses.includes("LoadBalancerIP") ? [{ ...one, services: one.services }] : [],
  );
  if (forServices.length === 0) return "nothing that goes to this peer announces addresses of Services";
  const onNode = forServices.filter(({ nodeSelectors }) => matchesAny(nodeSelectors, node.labels));
  if (onNode.length === 0) return "the advertisements to this peer select other nodes";
  const selecting = onNode.filter(({ services }) => matchesAny(services.selectors, selectableLabels(service)));
  if (selecting.length === 0) return "no advertisement to this peer selects the labels of the Service";
  const ofPool = selecting.filter(({ services }) => services.pools === null || services.pools.includes(pool ?? ""));
  if (ofPool.length === 0) return `the advertisements to this peer are for other pools than ${pool ?? "none"}`;
  const families = new Set(ingress.map((address) => (address.includes(":") ? "ipv6" : "ipv4")));
  if (!neighbor!.families.some(({ afi }) => families.has(afi))) return "the session does not carry its address family";
  return "the node has no address to be the next hop, or the class of the Service is another dialect's";
}

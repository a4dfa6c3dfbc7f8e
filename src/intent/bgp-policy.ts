/** Who speaks BGP with whom, and what is announced: one policy holds for every node that it selects. */
import type { IpAddress, IpFamily } from "../net/ip-address.ts";
import type { Dialect } from "./dialect.ts";
import type { Selector } from "./selector.ts";

export interface RouteFamily {
  readonly afi: "ipv4" | "ipv6";
  readonly safi: "unicast";
}

/** What a route carries besides its prefix. */
export interface RouteCommunities {
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** iBGP only. */
  readonly localPreference: number | null;
}

/** Attributes for the routes of one kind, whatever advertisement they come from; a route may match several. */
export interface RouteAttributes extends RouteCommunities {
  readonly appliesTo: "pod-cidr" | "load-balancer-pool";
  /** On the labels of the pool or node; `null` matches all. */
  readonly selector: Selector | null;
}

/** Which addresses of a Service. */
export type ServiceAddressKind = "LoadBalancerIP" | "ClusterIP" | "ExternalIP";

export interface ServiceRoutes {
  readonly addresses: readonly ServiceAddressKind[];
  /** One of them must match; `null` takes every Service, an empty list none. */
  readonly selectors: readonly Selector[] | null;
  /** Only addresses of these pools; `null` is any address. */
  readonly pools: readonly string[] | null;
  /** The length of the prefixes announced in place of whole addresses; `null` for whole addresses. */
  readonly aggregationLength: Readonly<Record<IpFamily, number>> | null;
}

/** One reason to announce something to a neighbour. */
export interface Advertisement extends RouteCommunities {
  readonly dialect: Dialect;
  readonly families: readonly IpFamily[];
  /** `null` announces the pod CIDRs of the node. */
  readonly services: ServiceRoutes | null;
  /** One of them must match the node; `null` is every node. */
  readonly nodeSelectors: readonly Selector[] | null;
}

/** Liveness by BFD (RFC 5880). */
export interface BfdSettings {
  readonly transmitMilliseconds: number;
  readonly receiveMilliseconds: number;
  readonly multiplier: number;
  readonly passive: boolean;
  /** The least TTL of the peer's packets where it is several hops away; `null` for one hop. */
  readonly minimumTtl: number | null;
}

/** A neighbour whose address each node finds out by itself. */
export type NeighborDiscovery =
  /** The gateway of its default route. */
  | { readonly kind: "default-gateway"; readonly family: "ipv4" | "ipv6" }
  /** The router at the other end of an interface, by its link-local address. */
  | { readonly kind: "unnumbered"; readonly interfaceName: string };

export interface BgpNeighbor {
  /** `null` where the dialect has no names for neighbours. */
  readonly name: string | null;
  /** `0.0.0.0` or `::` where the address is found out on the node. */
  readonly address: IpAddress;
  /** How to find the address; absent where it is configured. */
  readonly discovery?: NeighborDiscovery;
  readonly port: number;
  readonly asn: number;
  /** Where the connection comes from; `null` leaves it to the kernel. */
  readonly localAddress: IpAddress | null;
  readonly ebgpMultihopTtl: number;
  readonly connectRetrySeconds: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly gracefulRestartSeconds: number | null;
  /** The name of the password that the session is to use (`Intent.bgpPasswords`); `null` for none. */
  readonly passwordName: string | null;
  /** Absent where the hold time alone finds a dead peer. */
  readonly bfd?: BfdSettings;
  readonly families: readonly RouteFamily[];
  readonly advertisements: readonly Advertisement[];
  readonly attributes: readonly RouteAttributes[];
}

export interface VirtualRouter {
  /** `null` where the dialect knows routers by their AS number. */
  readonly name: string | null;
  readonly localAsn: number;
  /** Dotted quad; `null` derives it from the node. */
  readonly routerId: string | null;
  readonly listenPort: number | null;
  readonly neighbors: readonly BgpNeighbor[];
}

/**
 * - `peering-policy`: Cilium's first generation; only one may hold on a node, and then no other of Cilium's.
 * - `cluster-config`: the second generation; of several the eldest holds.
 * - `node-config`: the second generation, written for one node by hand.
 * - `session`: MetalLB's, each beside all others.
 */
type PolicyGeneration = "peering-policy" | "cluster-config" | "node-config" | "session";

/** What a node changes of the routers that a policy gives it, found by the names of both. */
export interface RouterOverride {
  readonly node: string;
  readonly router: string;
  readonly localAsn: number | null;
  readonly routerId: string | null;
  readonly listenPort: number | null;
  readonly localAddresses: Readonly<Record<string, IpAddress>>;
}

/** What several sessions have in common, under a name of its own: its Secret may be missing. */
export interface NamedPeerConfig {
  /** `Kind/name`, for conditions. */
  readonly object: string;
  readonly passwordName: string | null;
}

export interface BgpPolicy {
  /** `Kind/name`, for conditions and problems. */
  readonly object: string;
  readonly generation: PolicyGeneration;
  /** Milliseconds since the epoch; `null` for one that no API server has stored. */
  readonly createdAtMilliseconds: number | null;
  /** One of them must match; `null` is every node. */
  readonly nodeSelectors: readonly Selector[] | null;
  /** Only the node of this name; `null` is any. */
  readonly nodeName: string | null;
  readonly virtualRouters: readonly VirtualRouter[];
  readonly overrides: readonly RouterOverride[];
  /** Configurations that it names and that do not exist. */
  readonly missing: readonly string[];
}

/** A Service with its backends joined: what is to be reachable, and where it runs. */
import type { IpAddress, IpPrefix } from "../net/ip-address.ts";
import type { BalancingChoice } from "./balancing-choice.ts";
import type { Dialect } from "./dialect.ts";
import type { ForwardingChoice, SourceNatChoice } from "./forwarding-choice.ts";
import type { Labels } from "./selector.ts";

/**
 * - `ready`: takes new flows.
 * - `serving`: on its way out but still answering; takes new flows only when nothing is ready (KEP-1669).
 * - `draining`: keeps its flows, takes no new ones.
 */
export type BackendState = "ready" | "serving" | "draining";

export interface ServiceBackend {
  readonly address: IpAddress;
  readonly port: number;
  /** `null`: no node of its own, so it counts as local everywhere (a gateway inside the cluster, for one). */
  readonly node: string | null;
  readonly state: BackendState;
  /** Answers, whatever its state: what MetalLB goes by. */
  readonly isServing: boolean;
  /** Its share of new flows relative to the others; 0 takes none. Absent where nobody said: 1. */
  readonly weight?: number;
  /** For whom it is meant; absent where nobody said. */
  readonly hints?: TopologyHints;
}

/** Zones and nodes that a backend is meant for (EndpointSlice `hints`). */
export interface TopologyHints {
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

export type ServiceProtocol = "TCP" | "UDP" | "SCTP";

export interface ServicePort {
  /** Empty for the only port of a Service. */
  readonly name: string;
  readonly port: number;
  readonly protocol: ServiceProtocol;
  readonly backends: readonly ServiceBackend[];
}

/** Several Services on one address: those of the same key whose ports do not clash. */
export interface AddressSharing {
  /** Whose rules say what clashes. */
  readonly dialect: Dialect;
  readonly key: string;
  /** Namespaces with which to share besides its own; `"*"` is any. */
  readonly namespaces: readonly string[];
  /** Lets Services of the Local traffic policy share although their pods differ. */
  readonly permitDifferentPods: boolean;
}

/** Clients that may come in, or that may not. */
export interface ClientRanges {
  readonly action: "allow" | "deny";
  readonly ranges: readonly IpPrefix[];
}

export type FamilyPolicy = "SingleStack" | "PreferDualStack" | "RequireDualStack";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Milliseconds since the epoch; `null` for one that no API server has stored. */
  readonly createdAtMilliseconds: number | null;
  readonly wantsLoadBalancer: boolean;
  /** Which implementation it asks for; `null` leaves it to the default one. */
  readonly loadBalancerClass: string | null;
  /** `local`: only from and to nodes that run a backend, with the client's address kept. */
  readonly externalTrafficPolicy: "cluster" | "local";
  /** The same for clients inside of the cluster, who use its cluster addresses. */
  readonly internalTrafficPolicy: "cluster" | "local";
  /** Where nodes say whether they have a backend; absent where nobody asks. */
  readonly healthCheckNodePort?: number;
  readonly clusterAddresses: readonly IpAddress[];
  /** Given by the operator, routed here by somebody. */
  readonly externalAddresses: readonly IpAddress[];
  readonly families: readonly (4 | 6)[];
  readonly familyPolicy: FamilyPolicy | null;
  /** Asked for by address; empty leaves the choice to the pools. */
  readonly requestedAddresses: readonly IpAddress[];
  /** The only pool that may serve it; `null` leaves the choice to the pools. */
  readonly requestedPool: string | null;
  /** Why what it asks for cannot be, whatever the pools are; `null` when it can. */
  readonly requestFault: string | null;
  /** In whose words it asks; `null` when it does not say. */
  readonly dialect: Dialect | null;
  /** Held already, by this or an earlier allocator. */
  readonly heldAddresses: readonly IpAddress[];
  /** Who says on it that it gave it its addresses; absent where nobody does. */
  readonly allocatedBy?: "MetalLB";
  readonly sharing: AddressSharing | null;
  /** One client keeps one backend, on all ports, until it has opened no flow for so many seconds; `null` for none. */
  readonly affinitySeconds: number | null;
  /** `null` leaves it to the settings. */
  readonly balancing: BalancingChoice | null;
  /** `null` leaves it to the settings. */
  readonly forwarding: ForwardingChoice | null;
  /** `null` leaves it to the settings. */
  readonly sourceNat: SourceNatChoice | null;
  /** Who may come in by the addresses that we serve; `null` for everybody. */
  readonly clients: ClientRanges | null;
  /** The labels of its pods; empty when its backends are listed by hand. */
  readonly podSelector: Labels;
  readonly ports: readonly ServicePort[];
}

/** `namespace/name`: how people and counters call it. */
export function serviceKey(service: { readonly namespace: string; readonly name: string }): string {
  return `${service.namespace}/${service.name}`;
}

const NAMESPACE_LABEL = "io.kubernetes.service.namespace";
const NAME_LABEL = "io.kubernetes.service.name";

/** Its labels as selectors see them: two reserved keys stand for its namespace and name, whatever labels it carries. */
export function selectableLabels(service: Service): Labels {
  return { ...service.labels, [NAMESPACE_LABEL]: service.namespace, [NAME_LABEL]: service.name };
}

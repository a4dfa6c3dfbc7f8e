/** Who speaks BGP with whom, and what is announced: one policy holds for every node that it selects. */
import type { IpAddress } from "../net/ip-address.ts";
import type { Selector } from "./selector.ts";

export interface RouteFamily {
  readonly afi: "ipv4" | "ipv6";
  readonly safi: "unicast";
}

/** Attributes for the routes of one kind; a route may match several. */
export interface RouteAttributes {
  readonly appliesTo: "pod-cidr" | "load-balancer-pool";
  /** On the labels of the pool or node; `null` matches all. */
  readonly selector: Selector | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** iBGP only. */
  readonly localPreference: number | null;
}

export interface BgpNeighbor {
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  readonly ebgpMultihopTtl: number;
  readonly connectRetrySeconds: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly gracefulRestartSeconds: number | null;
  /** The name of the password that the session is to use (`Intent.bgpPasswords`); `null` for none. */
  readonly passwordName: string | null;
  readonly families: readonly RouteFamily[];
  readonly attributes: readonly RouteAttributes[];
}

export interface VirtualRouter {
  readonly localAsn: number;
  readonly exportPodCidrs: boolean;
  /** `null` and an empty one announce no Service. */
  readonly serviceSelector: Selector | null;
  readonly neighbors: readonly BgpNeighbor[];
}

export interface BgpPolicy {
  /** `Kind/name`, for conditions and problems. */
  readonly object: string;
  /** `null` is every node. */
  readonly nodeSelector: Selector | null;
  readonly virtualRouters: readonly VirtualRouter[];
}

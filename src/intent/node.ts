/** A machine of the cluster, as far as the gateway cares. */
import type { IpAddress } from "../net/ip-address.ts";
import type { IpRange } from "../net/ip-range.ts";
import type { Labels } from "./selector.ts";

export interface PodCidr {
  readonly range: IpRange;
  readonly prefixLength: number;
}

/** What a node says about the BGP instance of one AS number on it. */
export interface BgpInstanceOverride {
  readonly localAsn: number;
  readonly routerId: string | null;
  readonly listenPort: number | null;
}

export interface ClusterNode {
  readonly name: string;
  readonly labels: Labels;
  readonly internalAddresses: readonly IpAddress[];
  readonly podCidrs: readonly PodCidr[];
  /** Its network interfaces; `null` when nothing says. */
  readonly interfaces: readonly string[] | null;
  readonly bgpOverrides: readonly BgpInstanceOverride[];
  /** Why it may not attract traffic from outside; `null` when it may. */
  readonly excludedBecause: string | null;
}

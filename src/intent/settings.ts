/** The switches of the whole gateway. */
import type { BalancingChoice } from "./balancing-choice.ts";
import type { DsrDispatch, ForwardingDefault, SourceNatChoice } from "./forwarding-choice.ts";

/** Sizes of a Maglev lookup table that are offered: primes, so that every permutation visits each slot. */
export const MAGLEV_TABLE_SIZES = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071] as const;

/** Who gives addresses to Services that name no class. */
export const DEFAULT_SERVICE_IPAMS = ["lbipam", "nodeipam", "none"] as const;
type DefaultServiceIpam = (typeof DEFAULT_SERVICE_IPAMS)[number];

/** How the Leases that record the owners of addresses on links are kept. */
export interface L2LeaseTimes {
  readonly durationMilliseconds: number;
  readonly renewDeadlineMilliseconds: number;
  readonly retryPeriodMilliseconds: number;
}

export interface Settings {
  /** Of Cilium's policies; MetalLB's sessions need no switch. */
  readonly bgpEnabled: boolean;
  /** Of Cilium's policies; MetalLB's advertisements need no switch. */
  readonly l2Enabled: boolean;
  readonly l2Lease: L2LeaseTimes;
  readonly ipv4Enabled: boolean;
  readonly ipv6Enabled: boolean;
  /** Announce a Service of the Cluster traffic policy although it has no backend at all. */
  readonly announceWithoutBackends: boolean;
  readonly maglevTableSize: number;
  readonly forwarding: ForwardingDefault;
  readonly dsrDispatch: DsrDispatch;
  readonly sourceNat: SourceNatChoice;
  readonly balancing: BalancingChoice;
  readonly defaultServiceIpam: DefaultServiceIpam;
  /** Where the keys of BGP sessions are looked for. */
  readonly bgpSecretsNamespace: string;
}

/**
 * What holds where nobody configured anything. BGP and L2 are on here: without Cilium's ConfigMap the policies themselves say
 * that they are wanted; a ConfigMap that exists decides by its own default, which is off.
 */
export const DEFAULT_SETTINGS: Settings = {
  bgpEnabled: true,
  l2Enabled: true,
  l2Lease: { durationMilliseconds: 15_000, renewDeadlineMilliseconds: 5_000, retryPeriodMilliseconds: 2_000 },
  ipv4Enabled: true,
  ipv6Enabled: true,
  announceWithoutBackends: true,
  maglevTableSize: 16381,
  forwarding: "snat",
  dsrDispatch: "opt",
  sourceNat: "remote",
  balancing: "maglev",
  defaultServiceIpam: "lbipam",
  bgpSecretsNamespace: "kube-system",
};

/**
 * What the operator wants, in Sluice's own words: the one value in the middle. Files, an API server and tests all produce
 * it; nothing after it knows where it came from. Plain data, in a stable order, so that the same input gives the same plan.
 */
import type { AddressPool } from "./address-pool.ts";
import type { BgpPolicy, NamedPeerConfig } from "./bgp-policy.ts";
import type { FlowPolicy } from "./flow-policy.ts";
import type { L2Policy } from "./l2-policy.ts";
import type { ClusterNode } from "./node.ts";
import type { Service } from "./service.ts";
import { DEFAULT_SETTINGS, type Settings } from "./settings.ts";

export interface Intent {
  readonly settings: Settings;
  readonly nodes: readonly ClusterNode[];
  /** Names of the nodes whose gateway takes part, in order; `null` when nothing tells. */
  readonly gateways: readonly string[] | null;
  readonly pools: readonly AddressPool[];
  readonly services: readonly Service[];
  readonly bgpPolicies: readonly BgpPolicy[];
  readonly bgpPeerConfigs: readonly NamedPeerConfig[];
  readonly l2Policies: readonly L2Policy[];
  /** In the order in which they are asked. */
  readonly flowPolicies: readonly FlowPolicy[];
  /** Files of policies that are objects: text by `namespace/name/key`. */
  readonly policyFiles: Readonly<Record<string, string>>;
  /** By the name under which policies ask for them. Never logged. */
  readonly bgpPasswords: Readonly<Record<string, string>>;
}

export const EMPTY_INTENT: Intent = {
  settings: DEFAULT_SETTINGS,
  nodes: [],
  gateways: null,
  pools: [],
  services: [],
  bgpPolicies: [],
  flowPolicies: [],
  policyFiles: {},
  bgpPeerConfigs: [],
  l2Policies: [],
  bgpPasswords: {},
};

/** What is written into the status of Cilium's BGP and L2 objects: what is missing or wrong, by Cilium's types. */
import type { BgpPolicy } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { Condition } from "../ipam/condition.ts";
import { policiesOnNode, selectsNode } from "./bgp-on-node.ts";
import { l2PolicyConditions } from "./l2-conditions.ts";

export function objectConditions(intent: Intent): Record<string, { readonly conditions: readonly Condition[] }> {
  const objects: Record<string, { conditions: Condition[] }> = {};
  const configs = intent.bgpPolicies.filter(({ generation }) => generation === "cluster-config");
  for (const policy of configs) objects[policy.object] = { conditions: clusterConfigConditions(policy, intent) };
  for (const { object, passwordName } of intent.bgpPeerConfigs) {
    const isMissing = passwordName !== null && !Object.hasOwn(intent.bgpPasswords, passwordName);
    const message = isMissing ? `Referenced Auth Secret "${passwordName}" is missing` : null;
    objects[object] = { conditions: [condition("MissingAuthSecret", "MissingAuthSecret", message)] };
  }
  for (const policy of intent.l2Policies) {
    if (policy.dialect === "cilium") objects[policy.object] = { conditions: l2PolicyConditions(policy) };
  }
  return objects;
}

function clusterConfigConditions(policy: BgpPolicy, intent: Intent): Condition[] {
  const selected = intent.nodes.filter((node) => selectsNode(policy, node));
  const lost = selected.filter((node) => !policiesOnNode(intent, node).includes(policy));
  const rivals = new Set(
    lost.flatMap((node) =>
      policiesOnNode(intent, node).flatMap(({ object, generation }) => (generation === "session" ? [] : [object])),
    ),
  );
  return [
    condition("NoMatchingNode", "NoMatchingNode", selected.length === 0 ? "No node matches spec.nodeSelector" : null),
    condition(
      "MissingPeerConfigs",
      "MissingPeerConfigs",
      policy.missing.length === 0
        ? null
        : `Referenced CiliumBGPPeerConfig(s) are missing: ${policy.missing.join(", ")}`,
    ),
    condition(
      "ConflictingClusterConfig",
      "ConflictingClusterConfigs",
      rivals.size === 0 ? null : `Selecting the same node(s) with: ${[...rivals].sort().join(", ")}`,
    ),
  ];
}

function condition(type: string, reason: string, message: string | null): Condition {
  return { type: `cilium.io/${type}`, status: message === null ? "False" : "True", reason, message: message ?? "" };
}

/** Why addresses that somebody wants to be answered for on a link are not. */
import type { Intent } from "../intent/intent.ts";
import type { L2Policy } from "../intent/l2-policy.ts";
import type { Problem } from "../intent/problem.ts";
import { matchesAny } from "../intent/selector.ts";
import { chosenInterfaces, policiesInForce } from "./l2-addresses.ts";

export function l2Problems(intent: Intent): readonly Problem[] {
  const isOff = !intent.settings.l2Enabled && intent.l2Policies.some(({ dialect }) => dialect === "cilium");
  return [
    ...(isOff ? [SWITCHED_OFF] : []),
    ...policiesInForce(intent).flatMap((policy) => selectionProblems(policy, intent)),
  ];
}

const SWITCHED_OFF = warning(
  "ConfigMap/kube-system/cilium-config",
  "data.enable-l2-announcements",
  'is not "true", so nothing is announced on links although there are policies',
);

function selectionProblems(policy: L2Policy, { nodes }: Intent): Problem[] {
  if (nodes.length === 0) return [];
  const field = policy.dialect === "cilium" ? "spec.nodeSelector" : "spec.nodeSelectors";
  const selected = nodes.filter(({ labels }) => matchesAny(policy.nodeSelectors, labels));
  if (selected.length === 0) {
    return [warning(policy.object, field, "selects no node; check the labels of the Node objects")];
  }
  const fitting = selected.filter((node) => chosenInterfaces(policy.interfaces, node) !== null);
  return fitting.length > 0
    ? []
    : [warning(policy.object, "spec.interfaces", "fits no interface of the nodes that the policy selects")];
}

function warning(object: string, field: string, message: string): Problem {
  return { severity: "warning", object, field, message, where: null };
}

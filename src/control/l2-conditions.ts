/** What is written into the status of Cilium's L2 policies: what in them cannot be understood, by Cilium's types. */
import type { L2Fault, L2Policy } from "../intent/l2-policy.ts";
import type { Condition } from "../ipam/condition.ts";

const FAULTS: readonly L2Fault[] = ["bad-service-selector", "bad-node-selector", "bad-interface-regex"];

/** A condition that never was True need not be there, but one that says False does no harm and ends one that was. */
export function l2PolicyConditions({ faults }: L2Policy): Condition[] {
  return FAULTS.map((fault) => ({
    type: `io.cilium/${fault}`,
    status: faults[fault] === undefined ? "False" : "True",
    reason: "error",
    message: faults[fault] ?? "",
  }));
}

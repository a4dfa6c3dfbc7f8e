/** Conditions and events as they are written to Kubernetes: Cilium's types and reasons, which people's tools know. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export interface ServiceEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

type UnsatisfiedReason =
  | "no_pool"
  | "pool_selector_mismatch"
  | "out_of_ips"
  | "already_allocated"
  | "already_allocated_incompatible_service";

const SATISFIED_TYPE = "cilium.io/IPAMRequestSatisfied";

export const SATISFIED: Condition = { type: SATISFIED_TYPE, status: "True", reason: "satisfied", message: "" };

export function unsatisfied(reason: UnsatisfiedReason, message: string): Condition {
  return { type: SATISFIED_TYPE, status: "False", reason, message };
}

export function conflictCondition(message: string | null): Condition {
  const type = "cilium.io/PoolConflict";
  return message === null
    ? { type, status: "False", reason: "resolved", message: "" }
    : { type, status: "True", reason: "cidr_overlap", message };
}

/** A count travels in the message of a condition without a status. */
export function countCondition(what: "IPsTotal" | "IPsAvailable" | "IPsUsed", count: bigint): Condition {
  return { type: `cilium.io/${what}`, status: "Unknown", reason: "noreason", message: String(count) };
}

/**
 * What is to stand in the status of Services and pools, and what has to change for it. Conditions of others stay; a
 * condition that says the same keeps its time.
 */
import type { Intent } from "../intent/intent.ts";
import { serviceKey } from "../intent/service.ts";
import type { Condition } from "../ipam/condition.ts";
import { addressSource } from "../ipam/responsibility.ts";
import type { Plan } from "./plan.ts";

export interface TimedCondition extends Condition {
  readonly lastTransitionTime?: string;
  readonly observedGeneration?: number;
}

export interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] | null } | null;
  readonly conditions?: readonly TimedCondition[] | null;
}

interface WantedServiceStatus {
  readonly ingress: readonly string[];
  readonly conditions: readonly Condition[];
}

/** Condition types of ours on a Service; the second marks one that a new leader has looked at. */
const SATISFIED_TYPE = "cilium.io/IPAMRequestSatisfied";
export const FENCE_TYPE = "sluice.dev/AllocatedBy";

/** By `namespace/name`, for the Services that get their addresses from our pools. */
export function wantedServiceStatuses(intent: Intent, plan: Plan): ReadonlyMap<string, WantedServiceStatus> {
  const wanted = new Map<string, WantedServiceStatus>();
  for (const service of intent.services) {
    if (addressSource(service, intent) !== "pools") continue;
    const { ingress, conditions } = plan.services[serviceKey(service)]!;
    wanted.set(serviceKey(service), { ingress, conditions });
  }
  return wanted;
}

/**
 * The status that a Service has to get; `null` when it has it. One that wants no address any more (`wanted` is `null`) loses
 * what it has from us, which its condition tells.
 */
export function serviceStatusChange(
  current: ServiceStatus,
  wanted: WantedServiceStatus | null,
  now: string,
): ServiceStatus | null {
  const conditions = current.conditions ?? [];
  const isOurs = ({ type }: Condition) => type === SATISFIED_TYPE || type === FENCE_TYPE;
  if (wanted === null && !conditions.some(isOurs)) return null;
  const held = (current.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");
  const ingress = wanted?.ingress ?? [];
  const merged = mergeConditions(conditions, wanted?.conditions ?? [], isOurs, now);
  const sameAddresses = held.length === ingress.length && held.every((ip, index) => ip === ingress[index]);
  if (sameAddresses && merged === conditions) return null;
  return { loadBalancer: { ingress: ingress.map((ip) => ({ ip, ipMode: "VIP" })) }, conditions: merged };
}

/** The very same list when nothing changes. */
export function mergeConditions(
  current: readonly TimedCondition[],
  wanted: readonly Condition[],
  isOurs: (condition: Condition) => boolean,
  now: string,
): readonly TimedCondition[] {
  const ours = wanted.map((condition): TimedCondition => {
    const known = current.find(({ type }) => type === condition.type);
    const isSame =
      known !== undefined &&
      known.status === condition.status &&
      known.reason === condition.reason &&
      known.message === condition.message;
    return isSame ? known : { ...condition, lastTransitionTime: now };
  });
  const others = current.filter((condition) => !isOurs(condition));
  const merged = [...others, ...ours];
  const isUnchanged = merged.length === current.length && merged.every((condition) => current.includes(condition));
  return isUnchanged ? current : merged;
}

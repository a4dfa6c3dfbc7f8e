/** Whose task it is to give a Service its addresses. */
import type { Dialect } from "../intent/dialect.ts";
import type { Intent } from "../intent/intent.ts";
import type { Service } from "../intent/service.ts";

/**
 * - `pools`: ours.
 * - `other-allocator`: somebody else gives the addresses, Sluice serves them.
 * - `other-controller`: somebody else does everything; hands off.
 * - `none`: no Service of type LoadBalancer.
 */
type AddressSource = "pools" | "other-allocator" | "other-controller" | "none";

export const BGP_CLASS = "io.cilium/bgp-control-plane";
export const L2_CLASS = "io.cilium/l2-announcer";

/** By whose rules a Service lives: those of the pool that serves it, else those it speaks, else those of the cluster. */
export function serviceDialect(
  service: Service,
  poolName: string | null,
  intent: Pick<Intent, "pools" | "bgpPolicies" | "l2Policies">,
): Dialect {
  const pool = poolName === null ? undefined : intent.pools.find(({ name }) => name === poolName);
  if (pool !== undefined) return pool.dialect;
  if (service.dialect !== null) return service.dialect;
  const objects = [
    ...intent.pools.map(({ dialect }) => dialect),
    ...intent.bgpPolicies.map(({ generation }): Dialect => (generation === "session" ? "metallb" : "cilium")),
    ...intent.l2Policies.map(({ dialect }) => dialect),
  ];
  return objects.length > 0 && objects.every((dialect) => dialect === "metallb") ? "metallb" : "cilium";
}

export function addressSource(service: Service, intent: Pick<Intent, "settings" | "pools">): AddressSource {
  if (!service.wantsLoadBalancer) return "none";
  const { loadBalancerClass } = service;
  if (loadBalancerClass !== null && loadBalancerClass !== BGP_CLASS && loadBalancerClass !== L2_CLASS) {
    return "other-controller";
  }
  if (loadBalancerClass === null && intent.settings.defaultServiceIpam !== "lbipam") return "other-allocator";
  // Without any pool there is no allocator: what a Service holds is not judged by pools that do not exist.
  return intent.pools.length === 0 && service.heldAddresses.length > 0 ? "other-allocator" : "pools";
}

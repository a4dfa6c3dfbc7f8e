/** Whose task it is to give a Service its addresses. */
import type { Intent } from "../intent/intent.ts";
import type { Service } from "../intent/service.ts";

/**
 * - `pools`: ours.
 * - `other-allocator`: somebody else gives the addresses, Sluice serves them.
 * - `other-controller`: somebody else does everything; hands off.
 * - `none`: no Service of type LoadBalancer.
 */
export type AddressSource = "pools" | "other-allocator" | "other-controller" | "none";

export const BGP_CLASS = "io.cilium/bgp-control-plane";
const L2_CLASS = "io.cilium/l2-announcer";

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

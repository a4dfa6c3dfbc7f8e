/**
 * Which of a Service's external addresses Sluice serves: those that it attracts, by BGP or on links. Others are routed here
 * by somebody who also knows who serves them. An address of a node or a pod is never served, whatever a Service
 * says: all traffic to it would be the Service's.
 */
import type { Intent } from "../intent/intent.ts";
import { matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels } from "../intent/service.ts";
import { reservation, reservedRanges } from "../ipam/reserved-range.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { isSwitchedOn } from "./bgp-on-node.ts";
import { policiesInForce, selectsService } from "./l2-addresses.ts";

export function servedExternalAddresses(service: Service, intent: Intent): readonly string[] {
  if (service.externalAddresses.length === 0 || !isAttracted(service, intent)) return [];
  const reserved = reservedRanges(intent.nodes);
  return service.externalAddresses.filter((address) => reservation(reserved, address) === null).map(formatIpAddress);
}

function isAttracted(service: Service, intent: Intent): boolean {
  if (policiesInForce(intent).some((policy) => policy.externalAddresses && selectsService(policy, service)))
    return true;
  const labels = selectableLabels(service);
  return intent.bgpPolicies
    .filter((policy) => isSwitchedOn(policy, intent))
    .flatMap(({ virtualRouters }) => virtualRouters.flatMap(({ neighbors }) => neighbors))
    .flatMap(({ advertisements }) => advertisements)
    .some(({ services }) => services?.addresses.includes("ExternalIP") && matchesAny(services.selectors, labels));
}

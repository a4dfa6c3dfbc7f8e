/** Why a pool gives a Service no new address, in one sentence; `null` when it may. */
import type { AddressPool } from "../intent/address-pool.ts";
import { matches, matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels } from "../intent/service.ts";

export function poolObstacle(
  pool: AddressPool,
  service: Service,
  isConflicting: boolean,
  isFull: boolean,
): string | null {
  const { requestedPool, namespace } = service;
  if (requestedPool !== null && requestedPool !== pool.name) return `the Service asks for the pool ${requestedPool}`;
  if (pool.serviceSelector !== null && !matches(pool.serviceSelector, selectableLabels(service))) {
    return "its serviceSelector does not match the labels of the Service";
  }
  const { reservedFor } = pool;
  if (reservedFor?.namespaces != null && !reservedFor.namespaces.includes(namespace)) {
    return `it is not for the namespace ${namespace} (serviceAllocation)`;
  }
  if (reservedFor !== null && !matchesAny(reservedFor.serviceSelectors, service.labels)) {
    return "its serviceAllocation does not select the labels of the Service";
  }
  if (pool.disabled) return "it is disabled";
  if (isConflicting) return "it overlaps an elder pool";
  if (!pool.autoAssign && requestedPool !== pool.name && service.requestedAddresses.length === 0) {
    return "autoAssign is false and the Service names neither it nor an address";
  }
  return isFull ? "it has no address left" : null;
}

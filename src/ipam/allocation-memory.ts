/**
 * Allocates again only when something changed that an allocation depends on; where a Service runs is no such thing. What a
 * Service got stays the very same object as long as it says the same.
 */
import { Recall, sameElements } from "../intent/recall.ts";
import { sameValue } from "../intent/same-value.ts";
import type { Service } from "../intent/service.ts";
import { type Allocation, type AllocationIntent, allocate, type ServiceAllocation } from "./allocate.ts";

export class AllocationMemory {
  readonly #entries = new Recall<ServiceAllocation>();
  #last: { readonly intent: AllocationIntent; readonly gives: boolean; readonly allocation: Allocation } | null = null;

  allocate(intent: AllocationIntent, gives: boolean): Allocation {
    if (this.#last !== null && this.#last.gives === gives && sameRequests(this.#last.intent, intent)) {
      this.#last = { ...this.#last, intent };
      return this.#last.allocation;
    }
    const made = allocate(intent, gives);
    const services = new Map(
      [...made.services].map(([key, entry]) => [
        key,
        this.#entries.of(key, [entry], (before) => (sameValue(before, entry) ? before! : entry)),
      ]),
    );
    this.#entries.endRound();
    const allocation = { services, pools: made.pools };
    this.#last = { intent, gives, allocation };
    return allocation;
  }
}

function sameRequests(a: AllocationIntent, b: AllocationIntent): boolean {
  return (
    a.settings === b.settings &&
    sameElements(a.nodes, b.nodes) &&
    sameElements(a.pools, b.pools) &&
    sameElements(a.bgpPolicies, b.bgpPolicies) &&
    sameElements(a.l2Policies, b.l2Policies) &&
    a.services.length === b.services.length &&
    a.services.every((service, index) => asksTheSame(service, b.services[index]!))
  );
}

/** Two states of one Service that differ at most in its backends. */
function asksTheSame(a: Service, b: Service): boolean {
  if (a === b) return true;
  const { ports: portsA, ...restA } = a;
  const { ports: portsB, ...restB } = b;
  const withoutBackends = (ports: Service["ports"]) => ports.map(({ name, port, protocol }) => [name, port, protocol]);
  return (
    sameElements(Object.values(restA), Object.values(restB)) &&
    sameValue(withoutBackends(portsA), withoutBackends(portsB))
  );
}

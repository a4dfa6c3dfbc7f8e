/** Who wants to know of the ends of which flows, as the threads that end them look it up: `flowEndListeners`. */
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";

/** @param slots of the policies that have the hook, by name. */
export function fillFlowEndListeners(
  listeners: Int32Array,
  { vips }: ForwardingSpec,
  ids: IdRegistry,
  slots: ReadonlyMap<string, number>,
): void {
  // Made aside: others read meanwhile.
  const made = new Int32Array(listeners.length);
  for (const vip of slots.size === 0 ? [] : vips) {
    for (const name of vip.policies) {
      const slot = slots.get(name);
      if (slot !== undefined) made[ids.of(vip).id]! |= 1 << slot;
    }
  }
  listeners.set(made);
}

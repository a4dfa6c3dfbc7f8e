/** A plan with the owners that the nodes have agreed on, in place of those that follow from the manifests alone. */
import type { Plan } from "./plan.ts";

/** @param owners by address; `null` for one that nobody owns just now. */
export function withLiveOwners(plan: Plan, owners: Readonly<Record<string, string | null>>): Plan {
  const l2Owners = Object.entries({ ...plan.l2Owners, ...owners }).filter(([, owner]) => owner !== null);
  const nodes = Object.entries(plan.nodes).map(([name, node]) => {
    const l2 = node.l2.map((one) => {
      const owner = owners[one.address];
      return owner === undefined ? one : { ...one, owner: owner === name };
    });
    return [name, { ...node, l2 }] as const;
  });
  return { ...plan, l2Owners: Object.fromEntries(l2Owners) as Plan["l2Owners"], nodes: Object.fromEntries(nodes) };
}

/** What one node has to do with addresses on links: for which it may answer, and for which it does. */
import type { L2Address } from "./l2-addresses.ts";
import type { L2AddressPlan } from "./plan.ts";

/** One entry for each Service that has the address. */
export function l2OnNode(links: readonly L2Address[], node: string): readonly L2AddressPlan[] {
  return links.flatMap(({ address, services, candidates }) => {
    const own = candidates.find((candidate) => candidate.node === node);
    if (own === undefined) return [];
    const owner = candidates[0] === own;
    return services.map((service) => ({ address, interfaces: own.interfaces, owner, service }));
  });
}

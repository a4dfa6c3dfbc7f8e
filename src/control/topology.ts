/**
 * Which backends a node prefers by their topology hints, which the cluster gives where a Service asks for it
 * (`trafficDistribution`): as kube-proxy does it, those for this node, else those for its zone, and all of them where the
 * hints are not complete or leave nothing.
 */
import type { Intent } from "../intent/intent.ts";
import type { ServiceBackend } from "../intent/service.ts";

const ZONE_LABEL = "topology.kubernetes.io/zone";

export function nearBackends(
  backends: readonly ServiceBackend[],
  { nodes }: Pick<Intent, "nodes">,
  nodeName: string,
): readonly ServiceBackend[] {
  const ready = backends.filter(({ state }) => state === "ready");
  const draining = backends.filter(({ state }) => state !== "ready");
  const choose = (isMeant: (backend: ServiceBackend) => boolean): readonly ServiceBackend[] | null => {
    const chosen = ready.filter(isMeant);
    // The others keep what they have: their flows were given before anybody hinted.
    return chosen.length === 0 ? null : [...chosen, ...draining];
  };
  if (ready.length === 0) return backends;
  if (ready.every(({ hints }) => hints !== undefined && hints.nodes.length > 0)) {
    const near = choose(({ hints }) => hints!.nodes.includes(nodeName));
    if (near !== null) return near;
  }
  const zone = nodes.find(({ name }) => name === nodeName)?.labels[ZONE_LABEL];
  if (zone === undefined || !ready.every(({ hints }) => hints !== undefined && hints.zones.length > 0)) return backends;
  return choose(({ hints }) => hints!.zones.includes(zone)) ?? backends;
}

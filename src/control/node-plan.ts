/** What one node is to do, computed from the Intent: the only thing that the running process carries out. */
import type { SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { withAnswers } from "./answering.ts";
import { bgpOnNode } from "./bgp-on-node.ts";
import { routeSources } from "./bgp-routes.ts";
import { forwardingOnNode } from "./forwarding-on-node.ts";
import { type L2Address, l2Addresses } from "./l2-addresses.ts";
import type { Plan } from "./plan.ts";

export interface NodePlan {
  readonly forwarding: ForwardingSpec;
  readonly bgp: SpeakerSpec;
  /** Of all nodes: an owner that is gone is followed by the next candidate, on whichever node that is. */
  readonly l2: readonly L2Address[];
}

/** A node that no Node object describes forwards but announces nothing. */
export function nodePlan(intent: Intent, plan: Plan, nodeName: string): NodePlan {
  const node = intent.nodes.find(({ name }) => name === nodeName);
  const forwarding = forwardingOnNode(intent, plan, nodeName);
  // What the node does not serve it must not attract.
  const served = new Set(forwarding.owned.map(({ address }) => formatIpAddress(address)));
  const l2 = l2Addresses(intent, plan.services).filter(({ address }) => served.has(address));
  return {
    forwarding: withAnswers(forwarding, l2, nodeName),
    bgp: node === undefined ? { instances: [] } : bgpOnNode(intent, routeSources(intent, plan.services), node).spec,
    l2,
  };
}

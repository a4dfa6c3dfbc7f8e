/**
 * What one node is to do: the only thing that the running process carries out. A planner remembers, so that the next plan
 * costs what changed; what did not is, in the next plan, the very same object.
 */
import type { SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import { Answering } from "./answering.ts";
import { bgpOnNode } from "./bgp-on-node.ts";
import { routeSources } from "./bgp-routes.ts";
import { forwardingOnNode } from "./forwarding-on-node.ts";
import { type L2Address, l2Addresses } from "./l2-addresses.ts";
import { type Plan, type PlanScope, plan } from "./plan.ts";
import { ForwardingMemory, PlanMemory } from "./plan-memory.ts";

export interface NodePlan {
  readonly forwarding: ForwardingSpec;
  readonly bgp: SpeakerSpec;
  /** Of all nodes: an owner that is gone is followed by the next candidate, on whichever node that is. */
  readonly l2: readonly L2Address[];
}

const NO_SESSIONS: SpeakerSpec = { instances: [] };

/** A node that no Node object describes forwards but announces nothing. */
export function nodePlan(intent: Intent, plan: Plan, nodeName: string): NodePlan {
  const node = intent.nodes.find(({ name }) => name === nodeName);
  const forwarding = forwardingOnNode(intent, plan, nodeName);
  return {
    ...new Answering(nodeName).of(forwarding, l2Addresses(intent, plan.services)),
    bgp: node === undefined ? NO_SESSIONS : bgpOnNode(intent, routeSources(intent, plan.services), node).spec,
  };
}

export class NodePlanner {
  readonly #memory = new PlanMemory();
  readonly #forwarding = new ForwardingMemory();
  readonly #nodeName: string;
  readonly #answering: Answering;

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
    this.#answering = new Answering(nodeName);
  }

  /** The plan as far as this node has a use for it, and its own part. */
  plan(intent: Intent, { nodeName, givesAddresses }: PlanScope): { readonly planned: Plan; readonly own: NodePlan } {
    const planned = plan(intent, { nodeName, givesAddresses }, this.#memory);
    const { bgp, links } = this.#memory.made;
    return {
      planned,
      own: {
        ...this.#answering.of(forwardingOnNode(intent, planned, this.#nodeName, this.#forwarding), links),
        bgp: bgp.get(this.#nodeName)?.spec ?? NO_SESSIONS,
      },
    };
  }
}

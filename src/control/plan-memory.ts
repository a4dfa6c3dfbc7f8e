/**
 * What a plan can take over from the one before it. A running process plans at every change of an endpoint; of 10,000
 * Services all but one are then what they were. Without a memory a plan is made from nothing, with the same result.
 */
import type { DsrSpec, OwnedAddress, VipSpec } from "../dataplane/forwarding-spec.ts";
import type { Problem } from "../intent/problem.ts";
import { Recall } from "../intent/recall.ts";
import { AllocationMemory } from "../ipam/allocation-memory.ts";
import type { NodeBgp } from "./bgp-on-node.ts";
import type { RoutedService, RouteSources } from "./bgp-routes.ts";
import type { L2Address } from "./l2-addresses.ts";
import type { ServicePlan } from "./plan.ts";

interface Made {
  readonly bgp: ReadonlyMap<string, NodeBgp>;
  readonly links: readonly L2Address[];
}

export class PlanMemory {
  readonly allocation = new AllocationMemory();
  /** All by the key of the Service. */
  readonly ingress = new Recall<readonly string[]>();
  readonly services = new Recall<ServicePlan>();
  readonly routed = new Recall<RoutedService>();
  readonly problems = new Recall<readonly Problem[]>();
  readonly sources = new Recall<RouteSources>();
  /** By the name of the node. */
  readonly bgp = new Recall<NodeBgp>();
  readonly links = new Recall<readonly L2Address[]>();

  /** What the last plan was made of that is not to be shown as it is: sessions have their passwords. */
  made: Made = { bgp: new Map(), links: [] };

  endRound(made: Made): void {
    this.made = made;
    for (const part of [this.ingress, this.services, this.routed, this.problems, this.sources, this.links]) {
      part.endRound();
    }
    this.bgp.endRound();
  }
}

/** One VIP, under what no two can have in common. */
export interface ServedPort {
  readonly key: string;
  readonly vip: VipSpec;
}

/** The same for what one node forwards. */
export class ForwardingMemory {
  /** By the key of the Service. */
  readonly vips = new Recall<readonly ServedPort[]>();
  readonly served = new Recall<readonly string[]>();
  readonly addresses = new Recall<readonly OwnedAddress[]>();
  readonly owned = new Recall<readonly OwnedAddress[]>();
  readonly dsr = new Recall<DsrSpec>();

  endRound(): void {
    this.vips.endRound();
    this.served.endRound();
    this.addresses.endRound();
    this.owned.endRound();
    this.dsr.endRound();
  }
}

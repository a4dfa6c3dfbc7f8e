/** What a running node knows of itself better than its Node object does: the interfaces on which it can answer. */
import type { Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import { Recall } from "../intent/recall.ts";

export class OwnInterfaces {
  readonly #nodeName: string;
  readonly #interfaces: readonly string[];
  /** The same Nodes give the same list again, or everything that follows from it would be new each time. */
  readonly #nodes = new Recall<readonly ClusterNode[]>();

  constructor(nodeName: string, interfaces: readonly string[]) {
    this.#nodeName = nodeName;
    this.#interfaces = interfaces;
  }

  within(intent: Intent): Intent {
    const nodes = this.#nodes.of("", [intent.nodes], () =>
      intent.nodes.map((node) => (node.name === this.#nodeName ? { ...node, interfaces: this.#interfaces } : node)),
    );
    this.#nodes.endRound();
    return { ...intent, nodes };
  }
}

/** What a running node knows of itself better than its Node object does: the interfaces on which it can answer. */
import type { Intent } from "../intent/intent.ts";

export function withOwnInterfaces(intent: Intent, nodeName: string, interfaces: readonly string[]): Intent {
  const nodes = intent.nodes.map((node) => (node.name === nodeName ? { ...node, interfaces } : node));
  return { ...intent, nodes };
}

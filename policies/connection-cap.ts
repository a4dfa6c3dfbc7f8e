/**
 * Caps the live flows that each backend has on this node. A flow begins to look for room at a backend that its hash names;
 * when all are full, another Service takes it, or it is denied.
 */
import { definePolicy } from "sluice/policy";

interface Options {
  readonly flows: number;
  readonly overflow?: string;
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["flows"],
    properties: {
      flows: { type: "integer", minimum: 1, description: "Live flows of one backend on one node, at most." },
      overflow: { type: "string", pattern: "^[^/]+/[^/]+$", description: "namespace/name of who takes the others." },
    },
  },
  create({ options: { flows, overflow } }) {
    return {
      onNewFlow(flow) {
        const { backendCount, hash } = flow;
        for (let turn = 0; turn < backendCount; turn++) {
          const index = (hash + turn) % backendCount;
          if (flow.backendFlows(index) < flows) return flow.useBackend(index);
        }
        return overflow === undefined ? flow.deny("all backends are full") : flow.useService(overflow);
      },
    };
  },
});

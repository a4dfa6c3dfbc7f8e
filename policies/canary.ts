/** Sends a share of the clients to another Service. One client always gets the same, on every node. */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly service: string;
  readonly percent: number;
  readonly clients: readonly string[];
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["service"],
    properties: {
      service: { type: "string", pattern: "^[^/]+/[^/]+$", description: "namespace/name of the canary." },
      percent: { type: "number", minimum: 0, maximum: 100, default: 0 },
      clients: { type: "array", items: { type: "string" }, default: [], description: "Prefixes that always go there." },
    },
  },
  create({ options: { service, percent, clients }, state }) {
    const chosen = state.prefixes("clients", { prefixes: clients });
    const below = (percent / 100) * 2 ** 31;
    return {
      onNewFlow: (flow) => (flow.client.hash < below || chosen.has(flow.client) ? flow.useService(service) : Continue),
    };
  },
});

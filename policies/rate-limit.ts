/**
 * Limits how many new flows one client may open: so many a second in the long run, so many at once. All workers count
 * together. A flow that is open is not slowed down.
 */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly perSecond: number;
  readonly burst: number;
  readonly clients: number;
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["perSecond"],
    properties: {
      perSecond: { type: "number", minimum: 0.001, description: "New flows of one client, in the long run." },
      burst: { type: "number", minimum: 1, default: 100, description: "New flows of one client, at once." },
      clients: { type: "integer", minimum: 8, default: 65536, description: "So many clients are remembered." },
    },
  },
  create({ options, state }) {
    const buckets = state.tokenBuckets("per client", options);
    return {
      onNewFlow: (flow) => (buckets.take(flow.client) ? Continue : flow.deny("too many new flows")),
    };
  },
});

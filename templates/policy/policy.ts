/** Denies some clients, and sends others to a canary. */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  /** Prefixes of clients that may not come in. */
  readonly denied: readonly string[];
  /** Prefixes of clients that get the canary. */
  readonly testers: readonly string[];
  /** `namespace/name` of the Service that is the canary. */
  readonly canary: string;
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["canary"],
    properties: {
      denied: { type: "array", items: { type: "string" }, default: [] },
      testers: { type: "array", items: { type: "string" }, default: [] },
      canary: { type: "string", pattern: "^[^/]+/[^/]+$" },
    },
  },
  create({ options, state }) {
    const denied = state.prefixes("denied", { prefixes: options.denied });
    const testers = state.prefixes("testers", { prefixes: options.testers });
    return {
      onNewFlow(flow) {
        if (denied.has(flow.client)) return flow.deny("denied client");
        if (testers.has(flow.client)) return flow.useService(options.canary);
        return Continue;
      },
    };
  },
});

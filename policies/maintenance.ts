/** Sends everybody but some clients to another Service, such as one that says what is going on. */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly service: string;
  readonly except: readonly string[];
  readonly onlyWithoutBackend: boolean;
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["service"],
    properties: {
      service: { type: "string", pattern: "^[^/]+/[^/]+$", description: "namespace/name of the Service that answers." },
      except: { type: "array", items: { type: "string" }, default: [], description: "Prefixes of those who may pass." },
      onlyWithoutBackend: { type: "boolean", default: false, description: "Only while nothing takes new flows." },
    },
  },
  create({ options: { service, except, onlyWithoutBackend }, state }) {
    const passing = state.prefixes("except", { prefixes: except });
    return {
      onNewFlow: (flow) => {
        if (onlyWithoutBackend && flow.backendCount > 0) return Continue;
        return passing.has(flow.client) ? Continue : flow.useService(service);
      },
    };
  },
});

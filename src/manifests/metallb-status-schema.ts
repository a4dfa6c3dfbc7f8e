/** The kinds in which MetalLB shows what it does. They are written, never read, so they have no adapter. */
import type { JsonSchema } from "./json-schema.ts";
import { CONDITIONS_SCHEMA, objectSchema } from "./object-metadata.ts";

const SERVICE_STATUS_FIELDS: Readonly<Record<string, JsonSchema>> = {
  node: { type: "string" },
  serviceName: { type: "string" },
  serviceNamespace: { type: "string" },
};

function statusOnly(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return objectSchema({ spec: { type: "object" }, status: { type: "object", properties } }, []);
}

export const SERVICE_BGP_STATUS_SCHEMA = statusOnly({
  ...SERVICE_STATUS_FIELDS,
  peers: { type: "array", items: { type: "string" } },
});

export const SERVICE_L2_STATUS_SCHEMA = statusOnly({
  ...SERVICE_STATUS_FIELDS,
  interfaces: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
});

export const CONFIGURATION_STATE_SCHEMA = statusOnly({
  result: { type: "string", enum: ["Valid", "Invalid", "Unknown"] },
  errorSummary: { type: "string" },
  conditions: CONDITIONS_SCHEMA,
});

/** What is written into the status of a `CiliumBGPNodeConfig`: its sessions as they are. */
import type { JsonSchema } from "./json-schema.ts";
import { CONDITIONS_SCHEMA } from "./object-metadata.ts";

const ROUTE_COUNT: JsonSchema = {
  type: "object",
  required: ["afi", "safi"],
  properties: {
    afi: { type: "string" },
    safi: { type: "string" },
    received: { type: "integer" },
    advertised: { type: "integer" },
  },
};

export const NODE_CONFIG_STATUS_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    conditions: CONDITIONS_SCHEMA,
    bgpInstances: {
      type: "array",
      items: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string" },
          localASN: { type: "integer" },
          peers: {
            type: "array",
            items: {
              type: "object",
              required: ["name", "peerAddress"],
              properties: {
                name: { type: "string" },
                peerAddress: { type: "string" },
                peerASN: { type: "integer" },
                peeringState: { type: "string" },
                establishedTime: { type: "string" },
                timers: {
                  type: "object",
                  properties: {
                    appliedHoldTimeSeconds: { type: "integer" },
                    appliedKeepaliveSeconds: { type: "integer" },
                  },
                },
                routeCount: { type: "array", items: ROUTE_COUNT },
              },
            },
          },
        },
      },
    },
  },
};

/** The schema of `spec` of a BGP peering policy, with Cilium's defaults. */
import type { JsonSchema } from "./json-schema.ts";
import { LABEL_SELECTOR_SCHEMA } from "./label-selector.ts";

/** RFC 1997 and the IANA registry of well-known communities. */
export const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, string>> = {
  internet: "0:0",
  "planned-shut": "65535:0",
  "accept-own": "65535:1",
  "route-filter-translated-v4": "65535:2",
  "route-filter-v4": "65535:3",
  "route-filter-translated-v6": "65535:4",
  "route-filter-v6": "65535:5",
  "llgr-stale": "65535:6",
  "no-llgr": "65535:7",
  blackhole: "65535:666",
  "no-export": "65535:65281",
  "no-advertise": "65535:65282",
  "no-export-subconfed": "65535:65283",
  "no-peer": "65535:65284",
};

const AS_NUMBER: JsonSchema = { type: "integer", minimum: 0, maximum: 4294967295 };

const PATH_ATTRIBUTES: JsonSchema = {
  type: "object",
  required: ["selectorType"],
  properties: {
    selectorType: { type: "string", enum: ["PodCIDR", "CiliumLoadBalancerIPPool", "CiliumPodIPPool"] },
    selector: LABEL_SELECTOR_SCHEMA,
    communities: {
      type: "object",
      properties: {
        standard: { type: "array", items: { type: "string", pattern: "^[0-9]{1,10}$|^[0-9]{1,5}:[0-9]{1,5}$" } },
        wellKnown: { type: "array", items: { type: "string", enum: Object.keys(WELL_KNOWN_COMMUNITIES) } },
        large: {
          type: "array",
          items: { type: "string", pattern: "^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$" },
        },
      },
    },
    localPreference: { type: "integer", minimum: 0, maximum: 4294967295, description: "iBGP only." },
  },
};

const NEIGHBOR: JsonSchema = {
  type: "object",
  required: ["peerAddress", "peerASN"],
  properties: {
    peerAddress: {
      type: "string",
      description: "The peer: an address, with or without a prefix length. Host bits are kept, they are the peer.",
    },
    peerPort: { type: "integer", minimum: 1, maximum: 65535, default: 179 },
    peerASN: { ...AS_NUMBER, description: "0 accepts any AS number." },
    authSecretRef: { type: "string" },
    eBGPMultihopTTL: { type: "integer", minimum: 1, maximum: 255, default: 1 },
    connectRetryTimeSeconds: { type: "integer", minimum: 1, maximum: 2147483647, default: 120 },
    holdTimeSeconds: { type: "integer", minimum: 3, maximum: 65535, default: 90 },
    keepAliveTimeSeconds: { type: "integer", minimum: 1, maximum: 65535, default: 30 },
    gracefulRestart: {
      type: "object",
      required: ["enabled"],
      properties: {
        enabled: { type: "boolean" },
        restartTimeSeconds: { type: "integer", minimum: 1, maximum: 4095, default: 120 },
      },
    },
    families: {
      type: "array",
      default: [
        { afi: "ipv4", safi: "unicast" },
        { afi: "ipv6", safi: "unicast" },
      ],
      items: {
        type: "object",
        required: ["afi", "safi"],
        properties: {
          afi: { type: "string", enum: ["ipv4", "ipv6", "l2vpn", "ls", "opaque"] },
          safi: { type: "string", minLength: 1 },
        },
      },
    },
    advertisedPathAttributes: { type: "array", default: [], items: PATH_ATTRIBUTES },
  },
};

export const BGP_PEERING_POLICY_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["virtualRouters"],
  properties: {
    nodeSelector: LABEL_SELECTOR_SCHEMA,
    virtualRouters: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["localASN", "neighbors"],
        properties: {
          localASN: AS_NUMBER,
          exportPodCIDR: { type: "boolean", default: false },
          serviceSelector: LABEL_SELECTOR_SCHEMA,
          podIPPoolSelector: LABEL_SELECTOR_SCHEMA,
          serviceAdvertisements: {
            type: "array",
            default: ["LoadBalancerIP"],
            items: { type: "string", enum: ["LoadBalancerIP", "ClusterIP", "ExternalIP"] },
          },
          neighbors: { type: "array", minItems: 1, items: NEIGHBOR },
        },
      },
    },
  },
};

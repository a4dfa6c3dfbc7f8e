/** `spec` of a BGP peering policy: its schema, with Cilium's defaults, and what it is when it has been checked by that. */
import type { ServiceAddressKind } from "../intent/bgp-policy.ts";
import { COMMUNITIES_SCHEMA, type CommunityFields } from "./communities.ts";
import type { JsonSchema } from "./json-schema.ts";
import { LABEL_SELECTOR_SCHEMA, type LabelSelector } from "./label-selector.ts";

export interface BgpPeeringPolicySpec {
  readonly nodeSelector?: LabelSelector | null;
  readonly virtualRouters: readonly VirtualRouterFields[];
}

export interface VirtualRouterFields {
  readonly localASN: number;
  readonly exportPodCIDR: boolean;
  readonly serviceSelector?: LabelSelector | null;
  readonly podIPPoolSelector?: LabelSelector | null;
  readonly serviceAdvertisements: readonly ServiceAddressKind[];
  readonly neighbors: readonly NeighborFields[];
}

export interface NeighborFields {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly peerASN: number;
  readonly eBGPMultihopTTL: number;
  readonly connectRetryTimeSeconds: number;
  readonly holdTimeSeconds: number;
  readonly keepAliveTimeSeconds: number;
  readonly authSecretRef?: string;
  readonly gracefulRestart?: { readonly enabled: boolean; readonly restartTimeSeconds: number };
  readonly families: readonly { readonly afi: string; readonly safi: string }[];
  readonly advertisedPathAttributes: readonly PathAttributesFields[];
}

export interface PathAttributesFields {
  readonly selectorType: string;
  readonly selector?: LabelSelector | null;
  readonly localPreference?: number;
  readonly communities?: CommunityFields;
}

const AS_NUMBER: JsonSchema = { type: "integer", minimum: 0, maximum: 4294967295 };

const PATH_ATTRIBUTES: JsonSchema = {
  type: "object",
  required: ["selectorType"],
  properties: {
    selectorType: { type: "string", enum: ["PodCIDR", "CiliumLoadBalancerIPPool", "CiliumPodIPPool"] },
    selector: LABEL_SELECTOR_SCHEMA,
    communities: COMMUNITIES_SCHEMA,
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
  "x-kubernetes-validations": [
    {
      rule: "self.keepAliveTimeSeconds <= self.holdTimeSeconds",
      message: "keepAliveTimeSeconds can not be larger than holdTimeSeconds",
    },
  ],
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

/** The schemas of Cilium's second generation of BGP kinds, with Cilium's defaults and rules. */
import { COMMUNITIES_SCHEMA } from "./communities.ts";
import type { JsonSchema } from "./json-schema.ts";
import { LABEL_SELECTOR_SCHEMA } from "./label-selector.ts";

const NAME: JsonSchema = { type: "string", minLength: 1, maxLength: 255 };
const LOCAL_ASN: JsonSchema = { type: "integer", minimum: 1, maximum: 4294967295 };
const PORT: JsonSchema = { type: "integer", minimum: 1, maximum: 65535 };

const PEER_CONFIG_REF: JsonSchema = {
  type: "object",
  nullable: true,
  required: ["name"],
  properties: { group: { type: "string" }, kind: { type: "string" }, name: { type: "string", minLength: 1 } },
};

const AUTO_DISCOVERY: JsonSchema = {
  type: "object",
  nullable: true,
  required: ["mode"],
  properties: {
    mode: { type: "string", enum: ["DefaultGateway", "Unnumbered"] },
    defaultGateway: {
      type: "object",
      nullable: true,
      required: ["addressFamily"],
      properties: { addressFamily: { type: "string", enum: ["ipv4", "ipv6"] } },
    },
    unnumbered: {
      type: "object",
      nullable: true,
      required: ["interface"],
      properties: { interface: { type: "string", minLength: 1, maxLength: 255 } },
    },
  },
  "x-kubernetes-validations": [
    {
      rule: "self.mode != 'DefaultGateway' || has(self.defaultGateway)",
      message: "defaultGateway is required for mode DefaultGateway",
    },
    {
      rule: "self.mode != 'Unnumbered' || has(self.unnumbered)",
      message: "unnumbered is required for mode Unnumbered",
    },
  ],
};

function namedList(items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    ...more,
    items,
  };
}

const PEER: JsonSchema = {
  type: "object",
  required: ["name"],
  properties: {
    name: NAME,
    peerAddress: { type: "string", description: "An address; a prefix length after it is ignored." },
    peerASN: { type: "integer", minimum: 0, maximum: 4294967295, default: 0, description: "0 accepts any AS number." },
    autoDiscovery: AUTO_DISCOVERY,
    peerConfigRef: PEER_CONFIG_REF,
  },
};

export const CLUSTER_CONFIG_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["bgpInstances"],
  properties: {
    nodeSelector: LABEL_SELECTOR_SCHEMA,
    bgpInstances: namedList(
      {
        type: "object",
        required: ["name"],
        properties: { name: NAME, localASN: LOCAL_ASN, localPort: PORT, peers: namedList(PEER) },
      },
      { minItems: 1, maxItems: 16 },
    ),
  },
};

export const NODE_CONFIG_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["bgpInstances"],
  properties: {
    bgpInstances: namedList(
      {
        type: "object",
        required: ["name"],
        properties: {
          name: NAME,
          localASN: LOCAL_ASN,
          routerID: { type: "string", pattern: "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$" },
          localPort: PORT,
          peers: namedList({
            ...PEER,
            properties: {
              ...PEER.properties,
              localAddress: { type: "string" },
              peerInterface: { type: "string", maxLength: 255 },
            },
            "x-kubernetes-validations": [
              {
                rule: "has(self.peerAddress) != has(self.autoDiscovery)",
                message: "one of peerAddress and autoDiscovery is required",
              },
            ],
          }),
        },
      },
      { minItems: 1, maxItems: 16 },
    ),
  },
};

export const NODE_CONFIG_OVERRIDE_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["bgpInstances"],
  properties: {
    bgpInstances: namedList(
      {
        type: "object",
        required: ["name"],
        properties: {
          name: NAME,
          routerID: { type: "string", pattern: "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$" },
          localPort: PORT,
          localASN: LOCAL_ASN,
          peers: namedList({
            type: "object",
            required: ["name"],
            properties: { name: NAME, localAddress: { type: "string" }, localPort: PORT },
          }),
        },
      },
      { minItems: 1 },
    ),
  },
};

export const PEER_CONFIG_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    transport: {
      type: "object",
      nullable: true,
      properties: { peerPort: { ...PORT, default: 179 }, localPort: PORT },
    },
    timers: {
      type: "object",
      nullable: true,
      properties: {
        connectRetryTimeSeconds: { type: "integer", minimum: 1, maximum: 2147483647, default: 120 },
        holdTimeSeconds: { type: "integer", minimum: 3, maximum: 65535, default: 90 },
        keepAliveTimeSeconds: { type: "integer", minimum: 1, maximum: 65535, default: 30 },
      },
      "x-kubernetes-validations": [
        {
          rule: "self.keepAliveTimeSeconds <= self.holdTimeSeconds",
          message: "keepAliveTimeSeconds can not be larger than holdTimeSeconds",
        },
      ],
    },
    authSecretRef: { type: "string", nullable: true },
    gracefulRestart: {
      type: "object",
      nullable: true,
      required: ["enabled"],
      properties: {
        enabled: { type: "boolean" },
        restartTimeSeconds: { type: "integer", minimum: 1, maximum: 4095, default: 120 },
      },
    },
    bfd: {
      type: "object",
      nullable: true,
      required: ["enabled"],
      properties: {
        enabled: { type: "boolean" },
        transmitIntervalMilliseconds: { type: "integer", minimum: 10, maximum: 60000, default: 300 },
        receiveIntervalMilliseconds: { type: "integer", minimum: 10, maximum: 60000, default: 300 },
        detectionMultiplier: { type: "integer", minimum: 2, maximum: 255, default: 3 },
      },
    },
    ebgpMultihop: { type: "integer", nullable: true, minimum: 1, maximum: 255, default: 1 },
    families: {
      type: "array",
      items: {
        type: "object",
        required: ["afi", "safi"],
        properties: {
          afi: { type: "string", enum: ["ipv4", "ipv6", "l2vpn", "ls", "opaque"] },
          safi: { type: "string", minLength: 1 },
          advertisements: LABEL_SELECTOR_SCHEMA,
        },
      },
    },
  },
};

export const ADVERTISEMENT_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["advertisements"],
  properties: {
    advertisements: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["advertisementType"],
        properties: {
          advertisementType: { type: "string", enum: ["PodCIDR", "CiliumPodIPPool", "Service", "Interface"] },
          service: {
            type: "object",
            nullable: true,
            required: ["addresses"],
            properties: {
              addresses: {
                type: "array",
                minItems: 1,
                items: { type: "string", enum: ["LoadBalancerIP", "ClusterIP", "ExternalIP"] },
              },
              aggregationLengthIPv4: { type: "integer", nullable: true, minimum: 0, maximum: 31 },
              aggregationLengthIPv6: { type: "integer", nullable: true, minimum: 0, maximum: 127 },
            },
          },
          interface: { type: "object", nullable: true, properties: { name: { type: "string" } } },
          selector: LABEL_SELECTOR_SCHEMA,
          attributes: {
            type: "object",
            nullable: true,
            properties: {
              communities: { ...COMMUNITIES_SCHEMA, nullable: true },
              localPreference: { type: "integer", nullable: true, minimum: 0, maximum: 4294967295 },
            },
          },
        },
        "x-kubernetes-validations": [
          {
            rule: "self.advertisementType != 'Service' || has(self.service)",
            message: "service field is required for the 'Service' advertisementType",
          },
        ],
      },
    },
  },
};

/** The schemas of MetalLB's kinds, with MetalLB's defaults and rules. */
import type { JsonSchema } from "./json-schema.ts";
import { LABEL_SELECTOR_SCHEMA } from "./label-selector.ts";

const SELECTORS: JsonSchema = { type: "array", items: LABEL_SELECTOR_SCHEMA };
const NAMES: JsonSchema = { type: "array", items: { type: "string" } };
const ASN: JsonSchema = { type: "integer", minimum: 0, maximum: 4294967295 };
const DURATION: JsonSchema = { type: "string", nullable: true, description: "Whole seconds, such as 90s or 1m30s." };

export const IP_ADDRESS_POOL_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["addresses"],
  properties: {
    addresses: { ...NAMES, minItems: 1, description: "CIDRs, or ranges such as 192.0.2.10-192.0.2.20." },
    autoAssign: { type: "boolean", default: true },
    avoidBuggyIPs: { type: "boolean", default: false },
    serviceAllocation: {
      type: "object",
      nullable: true,
      properties: {
        priority: { type: "integer", minimum: 0 },
        namespaces: NAMES,
        namespaceSelectors: SELECTORS,
        serviceSelectors: SELECTORS,
      },
    },
  },
};

export const IP_ADDRESS_POOL_STATUS_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    assignedIPv4: { type: "integer" },
    assignedIPv6: { type: "integer" },
    availableIPv4: { type: "integer" },
    availableIPv6: { type: "integer" },
  },
};

export const BGP_PEER_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["myASN"],
  properties: {
    myASN: ASN,
    localASN: { type: "integer", nullable: true, minimum: 1, maximum: 4294967295 },
    peerASN: ASN,
    dynamicASN: { type: "string", enum: ["internal", "external"] },
    peerAddress: { type: "string" },
    interface: { type: "string" },
    sourceAddress: { type: "string" },
    peerPort: { type: "integer", minimum: 1, maximum: 16384, default: 179 },
    holdTime: DURATION,
    keepaliveTime: DURATION,
    connectTime: DURATION,
    routerID: { type: "string" },
    nodeSelectors: SELECTORS,
    password: { type: "string" },
    passwordSecret: {
      type: "object",
      nullable: true,
      properties: { name: { type: "string" }, namespace: { type: "string" } },
    },
    bfdProfile: { type: "string" },
    enableGracefulRestart: { type: "boolean", default: false },
    ebgpMultiHop: { type: "boolean", default: false },
    vrf: { type: "string" },
    disableMP: { type: "boolean", default: false },
    dualStackAddressFamily: { type: "boolean", default: false },
  },
  "x-kubernetes-validations": [
    {
      rule: "!(has(self.password) && self.password != '' && has(self.passwordSecret))",
      message: "password and passwordSecret are mutually exclusive",
    },
  ],
};

export const BGP_ADVERTISEMENT_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    aggregationLength: { type: "integer", nullable: true, minimum: 1, maximum: 32, default: 32 },
    aggregationLengthV6: { type: "integer", nullable: true, minimum: 1, maximum: 128, default: 128 },
    localPref: { type: "integer", minimum: 0, maximum: 4294967295 },
    communities: NAMES,
    ipAddressPools: NAMES,
    ipAddressPoolSelectors: SELECTORS,
    nodeSelectors: SELECTORS,
    peers: NAMES,
    serviceSelectors: SELECTORS,
  },
};

export const L2_ADVERTISEMENT_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    ipAddressPools: NAMES,
    ipAddressPoolSelectors: SELECTORS,
    nodeSelectors: SELECTORS,
    interfaces: NAMES,
    serviceSelectors: SELECTORS,
    preferredNodeSelectors: {
      type: "array",
      items: {
        type: "object",
        required: ["weight", "preference"],
        properties: { weight: { type: "integer", minimum: 1, maximum: 100 }, preference: LABEL_SELECTOR_SCHEMA },
      },
    },
  },
};

const MILLISECONDS: JsonSchema = { type: "integer", nullable: true, minimum: 10, maximum: 60000 };

export const BFD_PROFILE_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    receiveInterval: { ...MILLISECONDS, default: 300 },
    transmitInterval: { ...MILLISECONDS, default: 300 },
    detectMultiplier: { type: "integer", nullable: true, minimum: 2, maximum: 255, default: 3 },
    echoInterval: { ...MILLISECONDS, default: 50 },
    echoMode: { type: "boolean", nullable: true, default: false },
    passiveMode: { type: "boolean", nullable: true, default: false },
    minimumTtl: { type: "integer", nullable: true, minimum: 1, maximum: 254, default: 254 },
  },
};

export const COMMUNITY_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    communities: {
      type: "array",
      items: { type: "object", properties: { name: { type: "string" }, value: { type: "string" } } },
    },
  },
};

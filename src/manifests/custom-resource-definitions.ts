/**
 * The CustomResourceDefinitions of both dialects, made from the schemas by which files are checked: an API server refuses
 * what `sluice plan` refuses. Names, columns and versions are those of Cilium and MetalLB, so that people's tools work.
 */

import { BGP_PEERING_POLICY, CILIUM_BGP_PEERING_POLICY } from "./bgp-peering-policy.ts";
import { CILIUM_BGP_ADVERTISEMENT } from "./cilium-bgp-advertisement.ts";
import {
  CILIUM_BGP_CLUSTER_CONFIG,
  CILIUM_BGP_NODE_CONFIG,
  CILIUM_BGP_NODE_CONFIG_OVERRIDE,
} from "./cilium-bgp-cluster-config.ts";
import { CILIUM_BGP_PEER_CONFIG } from "./cilium-bgp-peer-config.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { CILIUM_L2_ANNOUNCEMENT_POLICY } from "./l2-announcement-policy.ts";
import { LOAD_BALANCER_IP_POOL } from "./load-balancer-ip-pool.ts";
import { BFD_PROFILE } from "./metallb-bfd-profile.ts";
import { BGP_ADVERTISEMENT, COMMUNITY } from "./metallb-bgp-advertisement.ts";
import { BGP_PEER } from "./metallb-bgp-peer.ts";
import { L2_ADVERTISEMENT } from "./metallb-l2-advertisement.ts";
import { IP_ADDRESS_POOL } from "./metallb-pool.ts";
import {
  CONFIGURATION_STATE_SCHEMA,
  SERVICE_BGP_STATUS_SCHEMA,
  SERVICE_L2_STATUS_SCHEMA,
} from "./metallb-status-schema.ts";
import { SLUICE_POLICY } from "./sluice-policy.ts";

interface Column {
  readonly name: string;
  readonly type: "string" | "boolean" | "integer" | "date";
  readonly jsonPath: string;
  readonly priority?: number;
}

type Kind = Pick<KindAdapter, "kind" | "apiVersions" | "namespaced" | "schema">;

interface Definition {
  readonly kind: Kind;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly Column[];
}

const AGE: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

function condition(type: string, field: "status" | "message"): string {
  return `.status.conditions[?(@.type=="${type}")].${field}`;
}

function text(name: string, jsonPath: string): Column {
  return { name, type: "string", jsonPath };
}

function metalLbRecord(kind: string, schema: JsonSchema): Kind {
  return { kind, apiVersions: ["metallb.io/v1beta1"], namespaced: true, schema };
}

const SERVICE_COLUMNS = [
  text("Node", ".status.node"),
  text("Service Name", ".status.serviceName"),
  text("Service Namespace", ".status.serviceNamespace"),
];

const DEFINITIONS: readonly Definition[] = [
  {
    kind: LOAD_BALANCER_IP_POOL,
    plural: "ciliumloadbalancerippools",
    shortNames: ["ippools", "ippool", "lbippool", "lbippools"],
    columns: [
      { name: "Disabled", type: "boolean", jsonPath: ".spec.disabled" },
      text("Conflicting", condition("cilium.io/PoolConflict", "status")),
      text("IPs Available", condition("cilium.io/IPsAvailable", "message")),
      AGE,
    ],
  },
  { kind: CILIUM_BGP_PEERING_POLICY, plural: "ciliumbgppeeringpolicies", shortNames: ["bgpp"], columns: [AGE] },
  { kind: BGP_PEERING_POLICY, plural: "bgppeeringpolicies", shortNames: [], columns: [AGE] },
  { kind: CILIUM_BGP_CLUSTER_CONFIG, plural: "ciliumbgpclusterconfigs", shortNames: ["cbgpcluster"], columns: [AGE] },
  { kind: CILIUM_BGP_PEER_CONFIG, plural: "ciliumbgppeerconfigs", shortNames: ["cbgppeer"], columns: [AGE] },
  { kind: CILIUM_BGP_ADVERTISEMENT, plural: "ciliumbgpadvertisements", shortNames: ["cbgpadvert"], columns: [AGE] },
  { kind: CILIUM_BGP_NODE_CONFIG, plural: "ciliumbgpnodeconfigs", shortNames: ["cbgpnode"], columns: [AGE] },
  {
    kind: CILIUM_BGP_NODE_CONFIG_OVERRIDE,
    plural: "ciliumbgpnodeconfigoverrides",
    shortNames: ["cbgpnodeoverride"],
    columns: [AGE],
  },
  {
    kind: CILIUM_L2_ANNOUNCEMENT_POLICY,
    plural: "ciliuml2announcementpolicies",
    shortNames: ["l2announcement"],
    columns: [AGE],
  },
  {
    kind: SLUICE_POLICY,
    plural: "sluicepolicies",
    shortNames: [],
    columns: [
      text("Module", ".spec.module"),
      { name: "Order", type: "integer", jsonPath: ".spec.order" },
      text("On Error", ".spec.onError"),
      AGE,
    ],
  },
  {
    kind: IP_ADDRESS_POOL,
    plural: "ipaddresspools",
    shortNames: [],
    columns: [
      { name: "Auto Assign", type: "boolean", jsonPath: ".spec.autoAssign" },
      { name: "Avoid Buggy IPs", type: "boolean", jsonPath: ".spec.avoidBuggyIPs" },
      text("Addresses", ".spec.addresses"),
    ],
  },
  {
    kind: BGP_PEER,
    plural: "bgppeers",
    shortNames: [],
    columns: [
      text("Address", ".spec.peerAddress"),
      text("ASN", ".spec.peerASN"),
      text("BFD Profile", ".spec.bfdProfile"),
      text("Multi Hops", ".spec.ebgpMultiHop"),
    ],
  },
  {
    kind: BGP_ADVERTISEMENT,
    plural: "bgpadvertisements",
    shortNames: [],
    columns: [
      text("IPAddressPools", ".spec.ipAddressPools"),
      text("IPAddressPool Selectors", ".spec.ipAddressPoolSelectors"),
      text("Peers", ".spec.peers"),
      { ...text("Node Selectors", ".spec.nodeSelectors"), priority: 10 },
    ],
  },
  {
    kind: L2_ADVERTISEMENT,
    plural: "l2advertisements",
    shortNames: [],
    columns: [
      text("IPAddressPools", ".spec.ipAddressPools"),
      text("IPAddressPool Selectors", ".spec.ipAddressPoolSelectors"),
      text("Interfaces", ".spec.interfaces"),
      { ...text("Node Selectors", ".spec.nodeSelectors"), priority: 10 },
    ],
  },
  {
    kind: BFD_PROFILE,
    plural: "bfdprofiles",
    shortNames: [],
    columns: [
      { name: "Passive Mode", type: "boolean", jsonPath: ".spec.passiveMode" },
      { name: "Transmit Interval", type: "integer", jsonPath: ".spec.transmitInterval" },
      { name: "Receive Interval", type: "integer", jsonPath: ".spec.receiveInterval" },
      { name: "Multiplier", type: "integer", jsonPath: ".spec.detectMultiplier" },
    ],
  },
  { kind: COMMUNITY, plural: "communities", shortNames: [], columns: [] },
  {
    kind: metalLbRecord("ServiceBGPStatus", SERVICE_BGP_STATUS_SCHEMA),
    plural: "servicebgpstatuses",
    shortNames: [],
    columns: SERVICE_COLUMNS,
  },
  {
    kind: metalLbRecord("ServiceL2Status", SERVICE_L2_STATUS_SCHEMA),
    plural: "servicel2statuses",
    shortNames: [],
    columns: SERVICE_COLUMNS,
  },
  {
    kind: metalLbRecord("ConfigurationState", CONFIGURATION_STATE_SCHEMA),
    plural: "configurationstates",
    shortNames: [],
    columns: [text("Result", ".status.result"), text("Error", ".status.errorSummary"), AGE],
  },
];

/** A CustomResourceDefinition as plain data. */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

export const CUSTOM_RESOURCE_DEFINITIONS: readonly CustomResourceDefinition[] = DEFINITIONS.map(definition);

/** Where an API server keeps the objects of a kind of ours: the path segment behind group and version. */
export const PLURALS: ReadonlyMap<string, string> = new Map(DEFINITIONS.map(({ kind, plural }) => [kind.kind, plural]));

function definition({ kind, plural, shortNames, columns }: Definition): CustomResourceDefinition {
  const group = kind.apiVersions[0]!.split("/")[0]!;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: kind.namespaced ? "Namespaced" : "Cluster",
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        ...(shortNames.length === 0 ? {} : { shortNames }),
        ...(group === "cilium.io" ? { categories: categories(kind.kind) } : {}),
      },
      versions: kind.apiVersions.map((apiVersion, index) => ({
        name: apiVersion.split("/")[1],
        served: true,
        storage: index === 0,
        ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns }),
        subresources: { status: {} },
        schema: { openAPIV3Schema: served(kind.schema) },
      })),
    },
  };
}

function categories(kind: string): readonly string[] {
  return kind.includes("BGP") ? ["cilium", "ciliumbgp"] : ["cilium"];
}

/** An API server checks the envelope itself and lets no schema restrict more of it than its name. */
function served(schema: JsonSchema): JsonSchema {
  const { metadata: _checkedByServer, ...properties } = schema.properties!;
  return {
    ...schema,
    required: (schema.required ?? []).filter((name) => !["apiVersion", "kind", "metadata"].includes(name)),
    properties: { ...properties, metadata: { type: "object" } },
  };
}

/** Which kinds mean something to Sluice, and which belong to somebody else. */

import type { Severity } from "../intent/problem.ts";
import { BGP_PEERING_POLICY, CILIUM_BGP_PEERING_POLICY } from "./bgp-peering-policy.ts";
import { CILIUM_BGP_ADVERTISEMENT } from "./cilium-bgp-advertisement.ts";
import {
  CILIUM_BGP_CLUSTER_CONFIG,
  CILIUM_BGP_NODE_CONFIG,
  CILIUM_BGP_NODE_CONFIG_OVERRIDE,
} from "./cilium-bgp-cluster-config.ts";
import { CILIUM_BGP_PEER_CONFIG } from "./cilium-bgp-peer-config.ts";
import { CONFIG_MAP } from "./cilium-config.ts";
import { ENDPOINT_SLICE } from "./endpoint-slice.ts";
import { compileSchema, type SchemaCheck } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { CILIUM_L2_ANNOUNCEMENT_POLICY } from "./l2-announcement-policy.ts";
import { LOAD_BALANCER_IP_POOL } from "./load-balancer-ip-pool.ts";
import { BFD_PROFILE } from "./metallb-bfd-profile.ts";
import { BGP_ADVERTISEMENT, COMMUNITY } from "./metallb-bgp-advertisement.ts";
import { BGP_PEER } from "./metallb-bgp-peer.ts";
import { L2_ADVERTISEMENT } from "./metallb-l2-advertisement.ts";
import { IP_ADDRESS_POOL } from "./metallb-pool.ts";
import { NAMESPACE } from "./namespace.ts";
import { nearMiss } from "./near-miss.ts";
import { NODE } from "./node.ts";
import { SECRET } from "./secret.ts";
import { SERVICE } from "./service.ts";
import { SLUICE_POLICY } from "./sluice-policy.ts";

export const KIND_ADAPTERS: readonly KindAdapter[] = [
  BGP_PEERING_POLICY,
  CILIUM_BGP_PEERING_POLICY,
  CILIUM_BGP_CLUSTER_CONFIG,
  CILIUM_BGP_PEER_CONFIG,
  CILIUM_BGP_ADVERTISEMENT,
  CILIUM_BGP_NODE_CONFIG,
  CILIUM_BGP_NODE_CONFIG_OVERRIDE,
  CILIUM_L2_ANNOUNCEMENT_POLICY,
  LOAD_BALANCER_IP_POOL,
  IP_ADDRESS_POOL,
  BGP_PEER,
  BGP_ADVERTISEMENT,
  L2_ADVERTISEMENT,
  BFD_PROFILE,
  COMMUNITY,
  SLUICE_POLICY,
  SERVICE,
  ENDPOINT_SLICE,
  NODE,
  NAMESPACE,
  CONFIG_MAP,
  SECRET,
];

/** Kinds that are part of a gateway's manifests but change nothing by themselves. */
const SILENT_KINDS = [
  "coordination.k8s.io/v1 Lease",
  "apiextensions.k8s.io/v1 CustomResourceDefinition",
  // Records that a gateway writes.
  "metallb.io/v1beta1 ServiceBGPStatus",
  "metallb.io/v1beta1 ServiceL2Status",
  "metallb.io/v1beta1 ConfigurationState",
];

interface KnownKind {
  readonly adapter: KindAdapter;
  readonly check: SchemaCheck;
}

const KNOWN_KINDS: ReadonlyMap<string, KnownKind> = new Map(
  KIND_ADAPTERS.flatMap((adapter) => {
    const known = { adapter, check: compileSchema(adapter.schema, adapter.confidential ?? false) };
    return adapter.apiVersions.map((apiVersion) => [`${apiVersion} ${adapter.kind}`, known] as const);
  }),
);

export function knownKind(apiVersion: string, kind: string): KnownKind | null {
  return KNOWN_KINDS.get(`${apiVersion} ${kind}`) ?? null;
}

/** What to say about a kind that has no adapter; `null` for nothing. */
export function unknownKind(
  apiVersion: string,
  kind: string,
): { readonly severity: Severity; readonly field: "apiVersion" | "kind"; readonly message: string } | null {
  if (SILENT_KINDS.includes(`${apiVersion} ${kind}`)) return null;
  const group = groupOf(apiVersion);
  const sameKind = KIND_ADAPTERS.find((adapter) => adapter.kind === kind);
  // "Service" is also a kind of other products; a kind of our own dialect in a wrong group is a slip.
  if (sameKind !== undefined && (groupOf(sameKind.apiVersions[0]!) === group || sameKind.closed)) {
    const message = `must be ${sameKind.apiVersions.join(" or ")} for ${kind}; is ${JSON.stringify(apiVersion)}`;
    return { severity: "error", field: "apiVersion", message };
  }
  const ownKinds = KIND_ADAPTERS.filter((adapter) => groupOf(adapter.apiVersions[0]!) === group).map(
    ({ kind }) => kind,
  );
  const meant = nearMiss(kind, ownKinds);
  if (meant !== null) {
    return {
      severity: "error",
      field: "kind",
      message: `${JSON.stringify(kind)} is not a kind; did you mean ${meant}?`,
    };
  }
  return { severity: "note", field: "kind", message: `${apiVersion} ${kind} does not concern Sluice; ignored` };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

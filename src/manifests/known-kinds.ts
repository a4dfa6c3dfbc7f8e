/** Which kinds mean something to Sluice, which are still to come, and which belong to somebody else. */

import type { Severity } from "../intent/problem.ts";
import { BGP_PEERING_POLICY, CILIUM_BGP_PEERING_POLICY } from "./bgp-peering-policy.ts";
import { CONFIG_MAP } from "./cilium-config.ts";
import { ENDPOINT_SLICE } from "./endpoint-slice.ts";
import { compileSchema, type SchemaCheck } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { LOAD_BALANCER_IP_POOL } from "./load-balancer-ip-pool.ts";
import { nearMiss } from "./near-miss.ts";
import { NODE } from "./node.ts";
import { SECRET } from "./secret.ts";
import { SERVICE } from "./service.ts";

export const KIND_ADAPTERS: readonly KindAdapter[] = [
  BGP_PEERING_POLICY,
  CILIUM_BGP_PEERING_POLICY,
  LOAD_BALANCER_IP_POOL,
  SERVICE,
  ENDPOINT_SLICE,
  NODE,
  CONFIG_MAP,
  SECRET,
];

/** Kinds that are part of a gateway's manifests but change nothing by themselves. */
const SILENT_KINDS = [
  "v1 Namespace",
  "coordination.k8s.io/v1 Lease",
  "apiextensions.k8s.io/v1 CustomResourceDefinition",
];

/** Kinds of the gateway that this version does not carry out: said aloud, since their author expects an effect. */
const COMING_KINDS: Readonly<Record<string, readonly string[]>> = {
  "cilium.io": [
    "CiliumBGPClusterConfig",
    "CiliumBGPPeerConfig",
    "CiliumBGPAdvertisement",
    "CiliumBGPNodeConfig",
    "CiliumBGPNodeConfigOverride",
    "CiliumL2AnnouncementPolicy",
  ],
  "metallb.io": ["IPAddressPool", "BGPPeer", "BGPAdvertisement", "L2Advertisement", "BFDProfile", "Community"],
};

export interface KnownKind {
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
  if (COMING_KINDS[group]?.includes(kind)) {
    return {
      severity: "warning",
      field: "kind",
      message: `${kind} is not supported by this version; it has no effect`,
    };
  }
  const sameKind = KIND_ADAPTERS.find((adapter) => adapter.kind === kind);
  // "Service" is also a kind of other products; a kind of our own dialect in a wrong group is a slip.
  if (sameKind !== undefined && (groupOf(sameKind.apiVersions[0]!) === group || sameKind.closed)) {
    const message = `must be ${sameKind.apiVersions.join(" or ")} for ${kind}; is ${JSON.stringify(apiVersion)}`;
    return { severity: "error", field: "apiVersion", message };
  }
  const ownKinds = KIND_ADAPTERS.filter((adapter) => groupOf(adapter.apiVersions[0]!) === group).map(
    ({ kind }) => kind,
  );
  const meant = nearMiss(kind, [...ownKinds, ...(COMING_KINDS[group] ?? [])]);
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

/**
 * `Node` (v1). Besides Kubernetes' own fields it reads two annotations: `sluice.dev/interfaces: "net0,eth1"` names its
 * network interfaces, and Cilium's `cilium.io/bgp-virtual-router.ASN: "router-id=192.0.2.1,local-port=1790"`.
 */
import type { BgpInstanceOverride, PodCidr } from "../intent/node.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseCidrRange, parseIpInterface } from "../net/ip-range.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import type { Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import { type KubernetesObject, type ObjectMetadata, objectSchema } from "./object-metadata.ts";

interface NodeObject extends KubernetesObject {
  readonly spec?: {
    readonly podCIDR?: string;
    readonly podCIDRs?: readonly string[];
    readonly taints?: readonly { readonly key: string }[];
  };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const NODE: KindAdapter = {
  kind: "Node",
  apiVersions: ["v1"],
  namespaced: false,
  closed: false,
  schema: objectSchema(
    {
      spec: {
        type: "object",
        properties: {
          podCIDR: { type: "string" },
          podCIDRs: { type: "array", items: { type: "string" } },
          taints: {
            type: "array",
            items: { type: "object", required: ["key"], properties: { key: { type: "string" } } },
          },
        },
      },
      status: {
        type: "object",
        properties: {
          addresses: {
            type: "array",
            items: {
              type: "object",
              required: ["type", "address"],
              properties: { type: { type: "string" }, address: { type: "string" } },
            },
          },
          conditions: {
            type: "array",
            items: {
              type: "object",
              required: ["type", "status"],
              properties: { type: { type: "string" }, status: { type: "string" } },
            },
          },
        },
      },
    },
    [],
  ),
  read: (object, report) => {
    const node = object as NodeObject;
    return {
      type: "node",
      node: {
        name: node.metadata.name,
        labels: node.metadata.labels ?? {},
        internalAddresses: readInternalAddresses(node, report),
        podCidrs: readPodCidrs(node, report),
        interfaces: readInterfaces(node.metadata),
        bgpOverrides: readBgpOverrides(node.metadata, report),
        excludedBecause: exclusion(node),
      },
    };
  },
};

function readInternalAddresses(node: NodeObject, report: Report): IpAddress[] {
  return (node.status?.addresses ?? []).flatMap(({ type, address }, index) => {
    if (type !== "InternalIP") return [];
    const parsed = parseIpAddress(address);
    if (parsed !== null) return [parsed];
    report("error", ["status", "addresses", index, "address"], `must be an IP address; is ${JSON.stringify(address)}`);
    return [];
  });
}

function readPodCidrs(node: NodeObject, report: Report): PodCidr[] {
  const list = node.spec?.podCIDRs;
  if (list === undefined || list.length === 0) {
    return node.spec?.podCIDR ? readPodCidr(node.spec.podCIDR, ["spec", "podCIDR"], report) : [];
  }
  return list.flatMap((text, index) => readPodCidr(text, ["spec", "podCIDRs", index], report));
}

function readPodCidr(text: string, path: readonly (string | number)[], report: Report): PodCidr[] {
  const range = parseCidrRange(text);
  const prefixLength = parseIpInterface(text)?.prefixLength;
  if (range === null || prefixLength === undefined) {
    report("error", path, `must be a CIDR such as 10.244.0.0/24; is ${JSON.stringify(text)}`);
    return [];
  }
  return [{ range, prefixLength }];
}

function readInterfaces(metadata: ObjectMetadata): string[] | null {
  const text = metadata.annotations?.["sluice.dev/interfaces"];
  if (text === undefined) return null;
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

const VIRTUAL_ROUTER_PREFIX = "cilium.io/bgp-virtual-router.";

function readBgpOverrides(metadata: ObjectMetadata, report: Report): BgpInstanceOverride[] {
  const overrides: BgpInstanceOverride[] = [];
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    if (!key.startsWith(VIRTUAL_ROUTER_PREFIX)) continue;
    const path = ["metadata", "annotations", key];
    const localAsn = Number(key.slice(VIRTUAL_ROUTER_PREFIX.length));
    let routerId: string | null = null;
    let listenPort: number | null = null;
    for (const setting of value.split(",")) {
      const [name, text = ""] = setting.split("=").map((part) => part.trim());
      const port = Number(text);
      if (name === "router-id" && parseIpv4(text) !== null) routerId = text;
      else if (name === "local-port" && /^\d+$/.test(text) && port >= 1 && port <= 65535) listenPort = port;
      else report("error", path, `must be like router-id=192.0.2.1,local-port=1790; ${JSON.stringify(setting)} is not`);
    }
    if (Number.isInteger(localAsn)) overrides.push({ localAsn, routerId, listenPort });
    else report("error", path, `must end in an AS number, as in ${VIRTUAL_ROUTER_PREFIX}65000`);
  }
  return overrides;
}

const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";
const EXCLUDE_TAINTS = ["node.kubernetes.io/out-of-service", "ToBeDeletedByClusterAutoscaler"];

function exclusion(node: NodeObject): string | null {
  if (node.metadata.labels?.[EXCLUDE_LABEL] !== undefined) return `the node has the label ${EXCLUDE_LABEL}`;
  const taint = node.spec?.taints?.find(({ key }) => EXCLUDE_TAINTS.includes(key));
  if (taint !== undefined) return `the node has the taint ${taint.key}`;
  const network = node.status?.conditions?.find(({ type }) => type === "NetworkUnavailable");
  return network?.status === "True" ? "the node's condition NetworkUnavailable is True" : null;
}

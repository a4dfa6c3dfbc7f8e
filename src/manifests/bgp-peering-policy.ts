/**
 * `CiliumBGPPeeringPolicy` (cilium.io/v2alpha1, removed from Cilium 1.19) and `BGPPeeringPolicy`, the same schema under the
 * name that older documents print.
 */
import type { BgpNeighbor, RouteAttributes, RouteFamily, VirtualRouter } from "../intent/bgp-policy.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseIpInterface } from "../net/ip-range.ts";
import { BGP_PEERING_POLICY_SPEC_SCHEMA, WELL_KNOWN_COMMUNITIES } from "./bgp-peering-policy-schema.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter, Manifest } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import { type KubernetesObject, objectSchema } from "./object-metadata.ts";

interface PeeringPolicyObject extends KubernetesObject {
  readonly spec: {
    readonly nodeSelector?: LabelSelector | null;
    readonly virtualRouters: readonly VirtualRouterFields[];
  };
}

interface VirtualRouterFields {
  readonly localASN: number;
  readonly exportPodCIDR: boolean;
  readonly serviceSelector?: LabelSelector | null;
  readonly podIPPoolSelector?: LabelSelector | null;
  readonly serviceAdvertisements: readonly string[];
  readonly neighbors: readonly NeighborFields[];
}

interface NeighborFields {
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

interface PathAttributesFields {
  readonly selectorType: string;
  readonly selector?: LabelSelector | null;
  readonly localPreference?: number;
  readonly communities?: {
    readonly standard?: readonly string[];
    readonly wellKnown?: readonly string[];
    readonly large?: readonly string[];
  };
}

function peeringPolicyKind(kind: string): KindAdapter {
  return {
    kind,
    apiVersions: ["cilium.io/v2alpha1"],
    namespaced: false,
    closed: true,
    schema: objectSchema({ spec: BGP_PEERING_POLICY_SPEC_SCHEMA }, ["spec"]),
    read: (object, report) => readPeeringPolicy(object as PeeringPolicyObject, report),
  };
}

export const BGP_PEERING_POLICY = peeringPolicyKind("BGPPeeringPolicy");
export const CILIUM_BGP_PEERING_POLICY = peeringPolicyKind("CiliumBGPPeeringPolicy");

function readPeeringPolicy(object: PeeringPolicyObject, report: Report): Manifest {
  const seen = new Set<number>();
  const virtualRouters = object.spec.virtualRouters.map((router, index) => {
    const path = ["spec", "virtualRouters", index];
    if (seen.has(router.localASN)) {
      report("error", [...path, "localASN"], `${router.localASN} is used twice; a node runs one router per AS number`);
    }
    seen.add(router.localASN);
    return readVirtualRouter(router, path, report);
  });
  return {
    type: "bgp-policy",
    policy: {
      object: `${object.kind}/${object.metadata.name}`,
      nodeSelector: readSelector(object.spec.nodeSelector, ["spec", "nodeSelector"], report),
      virtualRouters,
    },
  };
}

function readVirtualRouter(router: VirtualRouterFields, path: FieldPath, report: Report): VirtualRouter {
  if (router.podIPPoolSelector != null) {
    report("warning", [...path, "podIPPoolSelector"], "is not supported; pools of pod addresses are not announced");
  }
  const unsupported = router.serviceAdvertisements.filter((kind) => kind !== "LoadBalancerIP");
  if (unsupported.length > 0) {
    report("warning", [...path, "serviceAdvertisements"], `${unsupported.join(", ")}: not announced by this version`);
  }
  const announcesAddresses = router.serviceAdvertisements.includes("LoadBalancerIP");
  const serviceSelector = readSelector(router.serviceSelector, [...path, "serviceSelector"], report);
  const seen = new Set<string>();
  return {
    localAsn: router.localASN,
    exportPodCidrs: router.exportPodCIDR,
    serviceSelector: announcesAddresses ? serviceSelector : null,
    neighbors: router.neighbors.map((neighbor, index) => {
      const at = [...path, "neighbors", index];
      const key = `${neighbor.peerAddress} ${neighbor.peerPort}`;
      if (seen.has(key)) report("error", [...at, "peerAddress"], `${neighbor.peerAddress} is a neighbor already`);
      seen.add(key);
      return readNeighbor(neighbor, at, report);
    }),
  };
}

function readNeighbor(neighbor: NeighborFields, path: FieldPath, report: Report): BgpNeighbor {
  if (neighbor.keepAliveTimeSeconds > neighbor.holdTimeSeconds) {
    const advice = `must not be longer than holdTimeSeconds (${neighbor.holdTimeSeconds}); a third of it is usual`;
    report("error", [...path, "keepAliveTimeSeconds"], advice);
  }
  return {
    address: readPeerAddress(neighbor.peerAddress, [...path, "peerAddress"], report),
    port: neighbor.peerPort,
    asn: neighbor.peerASN,
    ebgpMultihopTtl: neighbor.eBGPMultihopTTL,
    connectRetrySeconds: neighbor.connectRetryTimeSeconds,
    holdTimeSeconds: neighbor.holdTimeSeconds,
    keepaliveTimeSeconds: neighbor.keepAliveTimeSeconds,
    gracefulRestartSeconds: neighbor.gracefulRestart?.enabled ? neighbor.gracefulRestart.restartTimeSeconds : null,
    passwordName: neighbor.authSecretRef || null,
    families: readFamilies(neighbor, path, report),
    attributes: neighbor.advertisedPathAttributes.flatMap((fields, index) =>
      readAttributes(fields, [...path, "advertisedPathAttributes", index], report),
    ),
  };
}

/** A CIDR whose host bits are the peer, or a bare address: the newer kinds want the latter, so both are taken. */
function readPeerAddress(text: string, path: FieldPath, report: Report): IpAddress {
  const address = parseIpInterface(text)?.address ?? parseIpAddress(text);
  if (address !== null) return address;
  report("error", path, `must be the peer's address, such as 192.0.2.1/32; is ${JSON.stringify(text)}`);
  return { family: 4, value: 0n };
}

function readFamilies(neighbor: NeighborFields, path: FieldPath, report: Report): RouteFamily[] {
  return neighbor.families.flatMap(({ afi, safi }, index): RouteFamily[] => {
    if ((afi === "ipv4" || afi === "ipv6") && safi === "unicast") return [{ afi, safi }];
    report(
      "warning",
      [...path, "families", index],
      `${afi}/${safi} is not supported; only unicast of ipv4 and ipv6 is`,
    );
    return [];
  });
}

function readAttributes(fields: PathAttributesFields, path: FieldPath, report: Report): RouteAttributes[] {
  if (fields.selectorType === "CiliumPodIPPool") {
    report("warning", [...path, "selectorType"], "pools of pod addresses are not announced; this entry has no effect");
    return [];
  }
  const wellKnown = (fields.communities?.wellKnown ?? []).map((name) => WELL_KNOWN_COMMUNITIES[name]!);
  const standard = (fields.communities?.standard ?? []).map(normalizeCommunity);
  for (const [index, community] of standard.entries()) {
    if (!partsFit(community, 0xffff)) {
      report("error", [...path, "communities", "standard", index], "each half must be at most 65535");
    }
  }
  return [
    {
      appliesTo: fields.selectorType === "PodCIDR" ? "pod-cidr" : "load-balancer-pool",
      selector: readSelector(fields.selector, [...path, "selector"], report),
      communities: [...standard, ...wellKnown],
      largeCommunities: fields.communities?.large ?? [],
      localPreference: fields.localPreference ?? null,
    },
  ];
}

/** A community may be written as one 32-bit number. */
function normalizeCommunity(text: string): string {
  if (text.includes(":")) return text;
  const value = Number(text);
  return `${Math.floor(value / 65536)}:${value % 65536}`;
}

function partsFit(text: string, maximum: number): boolean {
  return text.split(":").every((part) => Number(part) <= maximum);
}

/**
 * `CiliumBGPPeeringPolicy` (cilium.io/v2alpha1, removed from Cilium 1.19) and `BGPPeeringPolicy`, the same schema under the
 * name that older documents print.
 */
import type {
  Advertisement,
  BgpNeighbor,
  RouteAttributes,
  RouteFamily,
  ServiceAddressKind,
  VirtualRouter,
} from "../intent/bgp-policy.ts";
import { isEmptySelector, type Selector } from "../intent/selector.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseIpInterface } from "../net/ip-range.ts";
import {
  BGP_PEERING_POLICY_SPEC_SCHEMA,
  type BgpPeeringPolicySpec,
  type NeighborFields,
  type PathAttributesFields,
  type VirtualRouterFields,
} from "./bgp-peering-policy-schema.ts";
import { readCommunities } from "./communities.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter, Manifest } from "./kind.ts";
import { readSelector, selectorList } from "./label-selector.ts";
import {
  CONDITIONS_STATUS_SCHEMA,
  createdAtMilliseconds,
  type KubernetesObject,
  objectSchema,
} from "./object-metadata.ts";

interface PeeringPolicyObject extends KubernetesObject {
  readonly spec: BgpPeeringPolicySpec;
}

function peeringPolicyKind(kind: string): KindAdapter {
  return {
    kind,
    apiVersions: ["cilium.io/v2alpha1"],
    namespaced: false,
    closed: true,
    schema: objectSchema({ spec: BGP_PEERING_POLICY_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
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
      generation: "peering-policy",
      createdAtMilliseconds: createdAtMilliseconds(object.metadata),
      nodeSelectors: selectorList(readSelector(object.spec.nodeSelector, ["spec", "nodeSelector"], report)),
      nodeName: null,
      virtualRouters,
      overrides: [],
      missing: [],
    },
  };
}

function readVirtualRouter(router: VirtualRouterFields, path: FieldPath, report: Report): VirtualRouter {
  if (router.podIPPoolSelector != null) {
    report("warning", [...path, "podIPPoolSelector"], "is not supported; pools of pod addresses are not announced");
  }
  const selector = readSelector(router.serviceSelector, [...path, "serviceSelector"], report);
  const advertisements = [
    ...(router.exportPodCIDR ? [advertisement(null)] : []),
    // An empty selector selects nothing here, unlike everywhere else: announcing is opt-in.
    ...(selector === null || isEmptySelector(selector)
      ? []
      : [advertisement([selector], router.serviceAdvertisements)]),
  ];
  const seen = new Set<string>();
  return {
    name: null,
    localAsn: router.localASN,
    routerId: null,
    listenPort: null,
    neighbors: router.neighbors.map((neighbor, index) => {
      const at = [...path, "neighbors", index];
      const key = `${neighbor.peerAddress} ${neighbor.peerPort}`;
      if (seen.has(key)) report("error", [...at, "peerAddress"], `${neighbor.peerAddress} is a neighbor already`);
      seen.add(key);
      return readNeighbor(neighbor, advertisements, at, report);
    }),
  };
}

/** This generation says what is announced once for a router; `null` is its pod CIDRs. */
function advertisement(
  selectors: readonly Selector[] | null,
  addresses: readonly ServiceAddressKind[] = [],
): Advertisement {
  return {
    dialect: "cilium",
    families: [4, 6],
    services: selectors === null ? null : { addresses, selectors, pools: null, aggregationLength: null },
    nodeSelectors: null,
    communities: [],
    largeCommunities: [],
    localPreference: null,
  };
}

function readNeighbor(
  neighbor: NeighborFields,
  advertisements: readonly Advertisement[],
  path: FieldPath,
  report: Report,
): BgpNeighbor {
  if (neighbor.keepAliveTimeSeconds > neighbor.holdTimeSeconds) {
    const advice = `must not be longer than holdTimeSeconds (${neighbor.holdTimeSeconds}); a third of it is usual`;
    report("error", [...path, "keepAliveTimeSeconds"], advice);
  }
  return {
    name: null,
    localAddress: null,
    advertisements,
    address: readPeerAddress(neighbor.peerAddress, [...path, "peerAddress"], report),
    port: neighbor.peerPort,
    asn: neighbor.peerASN,
    ebgpMultihopTtl: neighbor.eBGPMultihopTTL,
    connectRetrySeconds: neighbor.connectRetryTimeSeconds,
    holdTimeSeconds: neighbor.holdTimeSeconds,
    keepaliveTimeSeconds: neighbor.keepAliveTimeSeconds,
    gracefulRestartSeconds: neighbor.gracefulRestart?.enabled ? neighbor.gracefulRestart.restartTimeSeconds : null,
    passwordName: neighbor.authSecretRef || null,
    families: readFamilies(neighbor.families, path, report),
    attributes: neighbor.advertisedPathAttributes.flatMap((fields, index) =>
      readAttributes(fields, [...path, "advertisedPathAttributes", index], report),
    ),
  };
}

/** A CIDR whose host bits are the peer, or a bare address: the newer kinds want the latter, so both are taken. */
export function readPeerAddress(text: string, path: FieldPath, report: Report): IpAddress {
  const address = parseIpInterface(text)?.address ?? parseIpAddress(text);
  if (address !== null) return address;
  report("error", path, `must be the peer's address, such as 192.0.2.1/32; is ${JSON.stringify(text)}`);
  return { family: 4, value: 0n };
}

export function readFamilies(families: NeighborFields["families"], path: FieldPath, report: Report): RouteFamily[] {
  return families.flatMap(({ afi, safi }, index): RouteFamily[] => {
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
  return [
    {
      appliesTo: fields.selectorType === "PodCIDR" ? "pod-cidr" : "load-balancer-pool",
      selector: readSelector(fields.selector, [...path, "selector"], report),
      ...readCommunities(fields.communities, [...path, "communities"], report),
      localPreference: fields.localPreference ?? null,
    },
  ];
}

/**
 * `CiliumBGPClusterConfig`, `CiliumBGPNodeConfig` and `CiliumBGPNodeConfigOverride`: which routers run on which nodes.
 *
 * A node's configuration that belongs to a cluster configuration is a record of what that one means there, so it adds
 * nothing; one that was written by hand holds where no cluster configuration selects the node.
 */
import type { NeighborDiscovery, RouterOverride } from "../intent/bgp-policy.ts";
import type { Selector } from "../intent/selector.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { readPeerAddress } from "./bgp-peering-policy.ts";
import {
  CLUSTER_CONFIG_SPEC_SCHEMA,
  NODE_CONFIG_OVERRIDE_SPEC_SCHEMA,
  NODE_CONFIG_SPEC_SCHEMA,
} from "./cilium-bgp-schema.ts";
import { NODE_CONFIG_STATUS_SCHEMA } from "./cilium-bgp-status-schema.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import {
  CONDITIONS_STATUS_SCHEMA,
  createdAtMilliseconds,
  type KubernetesObject,
  objectSchema,
} from "./object-metadata.ts";

/** The routers of one object; their peers are joined with the configurations that they name when all objects are known. */
export interface CiliumRouters {
  readonly object: string;
  readonly createdAtMilliseconds: number | null;
  /** For `CiliumBGPClusterConfig`; `null` is every node. */
  readonly nodeSelector: Selector | null;
  /** For `CiliumBGPNodeConfig`. */
  readonly nodeName: string | null;
  readonly routers: readonly CiliumRouter[];
}

interface CiliumRouter {
  readonly name: string;
  readonly localAsn: number;
  readonly routerId: string | null;
  readonly listenPort: number | null;
  readonly peers: readonly CiliumPeer[];
}

export interface CiliumPeer {
  readonly name: string;
  readonly address: IpAddress;
  readonly discovery?: NeighborDiscovery;
  readonly asn: number;
  readonly localAddress: IpAddress | null;
  /** The name of its `CiliumBGPPeerConfig`; `null` for the defaults. */
  readonly configName: string | null;
}

interface RoutersObject extends KubernetesObject {
  readonly spec: {
    readonly nodeSelector?: LabelSelector | null;
    readonly bgpInstances: readonly {
      readonly name: string;
      readonly localASN?: number;
      readonly routerID?: string;
      readonly localPort?: number;
      readonly peers?: readonly PeerFields[];
    }[];
  };
}

interface PeerFields {
  readonly name: string;
  readonly peerAddress?: string;
  readonly peerASN: number;
  readonly autoDiscovery?: {
    readonly mode: "DefaultGateway" | "Unnumbered";
    readonly defaultGateway?: { readonly addressFamily: "ipv4" | "ipv6" } | null;
    readonly unnumbered?: { readonly interface: string } | null;
  } | null;
  readonly localAddress?: string;
  readonly peerConfigRef?: { readonly name: string } | null;
}

interface OverrideObject extends KubernetesObject {
  readonly spec: {
    readonly bgpInstances: readonly {
      readonly name: string;
      readonly routerID?: string;
      readonly localPort?: number;
      readonly localASN?: number;
      readonly peers?: readonly { readonly name: string; readonly localAddress?: string }[];
    }[];
  };
}

const VERSIONS = ["cilium.io/v2", "cilium.io/v2alpha1"];

export const CILIUM_BGP_CLUSTER_CONFIG: KindAdapter = {
  kind: "CiliumBGPClusterConfig",
  apiVersions: VERSIONS,
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: CLUSTER_CONFIG_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, kind, spec } = object as RoutersObject;
    return {
      type: "bgp-routers",
      routers: {
        object: `${kind}/${metadata.name}`,
        createdAtMilliseconds: createdAtMilliseconds(metadata),
        nodeSelector: readSelector(spec.nodeSelector, ["spec", "nodeSelector"], report),
        nodeName: null,
        routers: readRouters(object as RoutersObject, report),
      },
    };
  },
};

export const CILIUM_BGP_NODE_CONFIG: KindAdapter = {
  kind: "CiliumBGPNodeConfig",
  apiVersions: VERSIONS,
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: NODE_CONFIG_SPEC_SCHEMA, status: NODE_CONFIG_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, kind } = object as RoutersObject;
    if ((metadata.ownerReferences ?? []).some((owner) => owner.kind === "CiliumBGPClusterConfig")) {
      return { type: "nothing" };
    }
    return {
      type: "bgp-routers",
      routers: {
        object: `${kind}/${metadata.name}`,
        createdAtMilliseconds: createdAtMilliseconds(metadata),
        nodeSelector: null,
        nodeName: metadata.name,
        routers: readRouters(object as RoutersObject, report),
      },
    };
  },
};

export const CILIUM_BGP_NODE_CONFIG_OVERRIDE: KindAdapter = {
  kind: "CiliumBGPNodeConfigOverride",
  apiVersions: VERSIONS,
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: NODE_CONFIG_OVERRIDE_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as OverrideObject;
    return {
      type: "bgp-overrides",
      overrides: spec.bgpInstances.map((instance, index): RouterOverride => {
        const path = ["spec", "bgpInstances", index];
        return {
          node: metadata.name,
          router: instance.name,
          localAsn: instance.localASN ?? null,
          routerId: readRouterId(instance.routerID, path, report),
          listenPort: instance.localPort ?? null,
          localAddresses: Object.fromEntries(
            (instance.peers ?? []).flatMap((peer, at) => {
              const address = readLocalAddress(peer.localAddress, [...path, "peers", at], report);
              return address === null ? [] : [[peer.name, address]];
            }),
          ),
        };
      }),
    };
  },
};

function readRouters({ spec }: RoutersObject, report: Report): CiliumRouter[] {
  const names = new Set<string>();
  return spec.bgpInstances.map((instance, index): CiliumRouter => {
    const path = ["spec", "bgpInstances", index];
    if (names.has(instance.name)) report("error", [...path, "name"], `"${instance.name}" is used twice`);
    names.add(instance.name);
    if (instance.localASN === undefined) {
      report("error", [...path, "localASN"], "is missing; AS numbers are not allocated from a pool here");
    }
    const peerNames = new Set<string>();
    return {
      name: instance.name,
      localAsn: instance.localASN ?? 0,
      routerId: readRouterId(instance.routerID, path, report),
      listenPort: instance.localPort ?? null,
      peers: (instance.peers ?? []).flatMap((peer, at) => {
        const peerPath = [...path, "peers", at];
        if (peerNames.has(peer.name)) report("error", [...peerPath, "name"], `"${peer.name}" is used twice`);
        peerNames.add(peer.name);
        return readPeer(peer, peerPath, report);
      }),
    };
  });
}

function readPeer(peer: PeerFields, path: FieldPath, report: Report): CiliumPeer[] {
  const discovery = readDiscovery(peer.autoDiscovery ?? null, [...path, "autoDiscovery"], report);
  const address = peer.peerAddress || null;
  if (address === null && discovery === null) {
    if (peer.autoDiscovery == null) report("error", path, "one of peerAddress and autoDiscovery is required");
    return [];
  }
  return [
    {
      name: peer.name,
      ...(address === null
        ? { address: unspecifiedAddress(discovery!), discovery: discovery! }
        : { address: readPeerAddress(address, [...path, "peerAddress"], report) }),
      asn: peer.peerASN,
      localAddress: readLocalAddress(peer.localAddress, path, report),
      configName: peer.peerConfigRef?.name ?? null,
    },
  ];
}

function readDiscovery(
  fields: NonNullable<PeerFields["autoDiscovery"]> | null,
  path: FieldPath,
  report: Report,
): NeighborDiscovery | null {
  if (fields === null) return null;
  const { mode, defaultGateway, unnumbered } = fields;
  if (mode === "DefaultGateway" && defaultGateway != null) {
    return { kind: "default-gateway", family: defaultGateway.addressFamily };
  }
  if (mode === "Unnumbered" && unnumbered != null) return { kind: "unnumbered", interfaceName: unnumbered.interface };
  report("error", path, `${mode === "Unnumbered" ? "unnumbered" : "defaultGateway"} is required for mode ${mode}`);
  return null;
}

/** Of the family that the session will be of: an interface has only its link-local address. */
export function unspecifiedAddress(discovery: NeighborDiscovery): IpAddress {
  const isIpv4 = discovery.kind === "default-gateway" && discovery.family === "ipv4";
  return { family: isIpv4 ? 4 : 6, value: 0n };
}

function readRouterId(text: string | undefined, path: FieldPath, report: Report): string | null {
  if (text === undefined || text === "") return null;
  if (parseIpv4(text) === null) report("error", [...path, "routerID"], `must be an IPv4 address; is ${text}`);
  return text;
}

function readLocalAddress(text: string | undefined, path: FieldPath, report: Report): IpAddress | null {
  if (text === undefined || text === "") return null;
  const address = parseIpAddress(text);
  if (address === null) report("error", [...path, "localAddress"], `must be an IP address; is ${JSON.stringify(text)}`);
  return address;
}

/** MetalLB's `BGPPeer`: one session, on every node that it selects. */
import type { NeighborDiscovery, RouteFamily } from "../intent/bgp-policy.ts";
import type { Selector } from "../intent/selector.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { unspecifiedAddress } from "./cilium-bgp-cluster-config.ts";
import type { FieldPath, Report } from "./finding.ts";
import { goDurationMilliseconds } from "./go-duration.ts";
import type { KindAdapter } from "./kind.ts";
import type { LabelSelector } from "./label-selector.ts";
import { readSelectors } from "./metallb-pool.ts";
import { BGP_PEER_SPEC_SCHEMA } from "./metallb-schema.ts";
import { createdAtMilliseconds, type KubernetesObject, objectSchema } from "./object-metadata.ts";

export interface MetalLbPeer {
  readonly object: string;
  readonly name: string;
  readonly createdAtMilliseconds: number | null;
  readonly localAsn: number;
  readonly asn: number;
  readonly address: IpAddress;
  readonly discovery?: NeighborDiscovery;
  readonly port: number;
  readonly localAddress: IpAddress | null;
  readonly routerId: string | null;
  readonly nodeSelectors: readonly Selector[] | null;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly connectRetrySeconds: number;
  readonly ebgpMultihopTtl: number;
  readonly gracefulRestartSeconds: number | null;
  readonly families: readonly RouteFamily[];
  /** Under which name its password is kept; `null` for none. */
  readonly passwordName: string | null;
  /** The name of its `BFDProfile`; `null` for none. */
  readonly bfdProfile: string | null;
  /** The password that stands in the object itself. */
  readonly inlinePassword: string | null;
}

interface PeerObject extends KubernetesObject {
  readonly spec: {
    readonly myASN: number;
    readonly localASN?: number | null;
    readonly peerASN?: number;
    readonly dynamicASN?: "internal" | "external";
    readonly peerAddress?: string;
    readonly interface?: string;
    readonly sourceAddress?: string;
    readonly peerPort: number;
    readonly holdTime?: string | null;
    readonly keepaliveTime?: string | null;
    readonly connectTime?: string | null;
    readonly routerID?: string;
    readonly nodeSelectors?: readonly LabelSelector[];
    readonly password?: string;
    readonly passwordSecret?: { readonly name?: string; readonly namespace?: string } | null;
    readonly bfdProfile?: string;
    readonly enableGracefulRestart: boolean;
    readonly ebgpMultiHop: boolean;
    readonly vrf?: string;
    readonly dualStackAddressFamily: boolean;
  };
}

export const BGP_PEER: KindAdapter = {
  kind: "BGPPeer",
  apiVersions: ["metallb.io/v1beta2"],
  namespaced: true,
  closed: true,
  confidential: true,
  schema: objectSchema({ spec: BGP_PEER_SPEC_SCHEMA, status: { type: "object" } }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as PeerObject;
    checkExclusions(object as PeerObject, report);
    const discovery: NeighborDiscovery | null = spec.interface
      ? { kind: "unnumbered", interfaceName: spec.interface }
      : null;
    const configured = readAddress(spec.peerAddress, ["spec", "peerAddress"], report);
    const address = configured ?? (discovery === null ? null : unspecifiedAddress(discovery));
    if (spec.routerID && parseIpv4(spec.routerID) === null) {
      report("error", ["spec", "routerID"], "must be an IPv4 address");
    }
    if (address === null) return { type: "nothing" };
    const holdTimeSeconds = readDuration(spec.holdTime, 90, ["spec", "holdTime"], report);
    const nodeSelectors = readSelectors(spec.nodeSelectors, ["spec", "nodeSelectors"], report);
    const own: RouteFamily = { afi: address.family === 4 ? "ipv4" : "ipv6", safi: "unicast" };
    const both: readonly RouteFamily[] = [
      { afi: "ipv4", safi: "unicast" },
      { afi: "ipv6", safi: "unicast" },
    ];
    const secret = spec.passwordSecret?.name ?? null;
    return {
      type: "metallb-peer",
      peer: {
        object: `BGPPeer/${metadata.namespace}/${metadata.name}`,
        name: metadata.name,
        createdAtMilliseconds: createdAtMilliseconds(metadata),
        localAsn: spec.myASN,
        asn: spec.dynamicASN === "internal" ? spec.myASN : (spec.peerASN ?? 0),
        address,
        ...(discovery === null ? {} : { discovery }),
        port: spec.peerPort,
        localAddress: readAddress(spec.sourceAddress, ["spec", "sourceAddress"], report),
        routerId: spec.routerID || null,
        nodeSelectors: nodeSelectors.length === 0 ? null : nodeSelectors,
        holdTimeSeconds,
        keepaliveTimeSeconds: readDuration(
          spec.keepaliveTime,
          Math.max(1, Math.floor(holdTimeSeconds / 3)),
          ["spec", "keepaliveTime"],
          report,
        ),
        connectRetrySeconds: readDuration(spec.connectTime, 120, ["spec", "connectTime"], report),
        ebgpMultihopTtl: spec.ebgpMultiHop ? 255 : 1,
        gracefulRestartSeconds: spec.enableGracefulRestart ? 120 : null,
        families: spec.dualStackAddressFamily || discovery !== null ? both : [own],
        passwordName: spec.password
          ? `BGPPeer ${metadata.namespace}/${metadata.name}`
          : secret === null
            ? null
            : `${spec.passwordSecret?.namespace || metadata.namespace}/${secret}`,
        bfdProfile: spec.bfdProfile || null,
        inlinePassword: spec.password || null,
      },
    };
  },
};

function checkExclusions({ spec }: PeerObject, report: Report): void {
  if ((spec.peerASN ?? 0) === 0 && spec.dynamicASN === undefined) {
    report("error", ["spec", "peerASN"], "is missing; one of peerASN and dynamicASN is required");
  }
  if ((spec.peerASN ?? 0) !== 0 && spec.dynamicASN !== undefined) {
    report("error", ["spec", "dynamicASN"], "peerASN and dynamicASN are mutually exclusive");
  }
  if (spec.password && spec.passwordSecret?.name) {
    report("error", ["spec", "passwordSecret"], "password and passwordSecret are mutually exclusive");
  }
  if (spec.peerAddress && spec.interface) {
    report("error", ["spec", "interface"], "peerAddress and interface are mutually exclusive");
  } else if (!spec.peerAddress && !spec.interface) {
    report("error", ["spec", "peerAddress"], "is missing; one of peerAddress and interface is required");
  }
  if (spec.vrf) report("warning", ["spec", "vrf"], "is not supported; the session runs in the default VRF");
  if (spec.localASN != null) {
    report("warning", ["spec", "localASN"], "is not supported; the session shows the AS number of myASN");
  }
}

function readAddress(text: string | undefined, path: FieldPath, report: Report): IpAddress | null {
  if (text === undefined || text === "") return null;
  const address = parseIpAddress(text);
  if (address === null) report("error", path, "must be an IP address");
  return address;
}

/** A duration of Go in whole seconds; MetalLB's CRD takes nothing else. */
function readDuration(text: string | null | undefined, fallback: number, path: FieldPath, report: Report): number {
  if (text == null || text === "") return fallback;
  const milliseconds = goDurationMilliseconds(text);
  if (milliseconds !== null && milliseconds % 1000 === 0) return milliseconds / 1000;
  report("error", path, "must be whole seconds, such as 90s or 1m30s");
  return fallback;
}

/** `CiliumBGPPeerConfig`: what sessions have in common, and which advertisements go to them. */
import type { BgpNeighbor, RouteFamily } from "../intent/bgp-policy.ts";
import type { Selector } from "../intent/selector.ts";
import { readFamilies } from "./bgp-peering-policy.ts";
import { PEER_CONFIG_SPEC_SCHEMA } from "./cilium-bgp-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import { CONDITIONS_STATUS_SCHEMA, type KubernetesObject, objectSchema } from "./object-metadata.ts";

export interface CiliumPeerConfig
  extends Pick<
    BgpNeighbor,
    | "port"
    | "ebgpMultihopTtl"
    | "connectRetrySeconds"
    | "holdTimeSeconds"
    | "keepaliveTimeSeconds"
    | "gracefulRestartSeconds"
    | "passwordName"
    | "bfd"
  > {
  /** Each with the advertisements that go to the session in it, by their labels; `null` is none. */
  readonly families: readonly (RouteFamily & { readonly advertisements: Selector | null })[];
}

interface FamilyFields {
  readonly afi: string;
  readonly safi: string;
  readonly advertisements?: LabelSelector | null;
}

interface PeerConfigObject extends KubernetesObject {
  readonly spec: {
    readonly transport?: { readonly peerPort: number } | null;
    readonly timers?: {
      readonly connectRetryTimeSeconds: number;
      readonly holdTimeSeconds: number;
      readonly keepAliveTimeSeconds: number;
    } | null;
    readonly authSecretRef?: string | null;
    readonly gracefulRestart?: { readonly enabled: boolean; readonly restartTimeSeconds: number } | null;
    readonly bfd?: {
      readonly enabled: boolean;
      readonly transmitIntervalMilliseconds: number;
      readonly receiveIntervalMilliseconds: number;
      readonly detectionMultiplier: number;
    } | null;
    readonly ebgpMultihop?: number | null;
    readonly families?: readonly FamilyFields[];
  };
}

/** Of a peer that names no configuration. */
export const DEFAULT_PEER_CONFIG: CiliumPeerConfig = {
  port: 179,
  ebgpMultihopTtl: 1,
  connectRetrySeconds: 120,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  gracefulRestartSeconds: null,
  passwordName: null,
  families: [
    { afi: "ipv4", safi: "unicast", advertisements: null },
    { afi: "ipv6", safi: "unicast", advertisements: null },
  ],
};

export const CILIUM_BGP_PEER_CONFIG: KindAdapter = {
  kind: "CiliumBGPPeerConfig",
  apiVersions: ["cilium.io/v2", "cilium.io/v2alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: PEER_CONFIG_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as PeerConfigObject;
    const timers = spec.timers ?? null;
    if (timers !== null && timers.keepAliveTimeSeconds > timers.holdTimeSeconds) {
      const message = `keepAliveTimeSeconds can not be larger than holdTimeSeconds (${timers.holdTimeSeconds})`;
      report("error", ["spec", "timers", "keepAliveTimeSeconds"], message);
    }
    const families = spec.families?.flatMap((fields, index) => {
      const path = ["spec", "families", index];
      const advertisements = readSelector(fields.advertisements, [...path, "advertisements"], report);
      return readFamilies([fields], ["spec"], report).map((family) => ({ ...family, advertisements }));
    });
    return {
      type: "bgp-peer-config",
      name: metadata.name,
      config: {
        port: spec.transport?.peerPort ?? 179,
        ebgpMultihopTtl: spec.ebgpMultihop ?? 1,
        connectRetrySeconds: timers?.connectRetryTimeSeconds ?? DEFAULT_PEER_CONFIG.connectRetrySeconds,
        holdTimeSeconds: timers?.holdTimeSeconds ?? DEFAULT_PEER_CONFIG.holdTimeSeconds,
        keepaliveTimeSeconds: timers?.keepAliveTimeSeconds ?? DEFAULT_PEER_CONFIG.keepaliveTimeSeconds,
        gracefulRestartSeconds: spec.gracefulRestart?.enabled ? spec.gracefulRestart.restartTimeSeconds : null,
        passwordName: spec.authSecretRef || null,
        ...readBfd(spec),
        families: families ?? DEFAULT_PEER_CONFIG.families,
      },
    };
  },
};

/** Several hops away the TTL tells nothing, as without a profile of MetalLB's. */
function readBfd({ bfd, ebgpMultihop }: PeerConfigObject["spec"]): Pick<CiliumPeerConfig, "bfd"> {
  if (!bfd?.enabled) return {};
  return {
    bfd: {
      transmitMilliseconds: bfd.transmitIntervalMilliseconds,
      receiveMilliseconds: bfd.receiveIntervalMilliseconds,
      multiplier: bfd.detectionMultiplier,
      passive: false,
      minimumTtl: (ebgpMultihop ?? 1) > 1 ? 1 : null,
    },
  };
}

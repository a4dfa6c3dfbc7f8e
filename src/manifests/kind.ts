/** What an adapter of one kind is, and what it makes of an object. */
import type { AddressPool } from "../intent/address-pool.ts";
import type { Advertisement, BfdSettings, BgpPolicy, RouterOverride } from "../intent/bgp-policy.ts";
import type { FlowPolicy } from "../intent/flow-policy.ts";
import type { L2Policy } from "../intent/l2-policy.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Labels } from "../intent/selector.ts";
import type { Service } from "../intent/service.ts";
import type { Settings } from "../intent/settings.ts";
import type { CiliumRouters } from "./cilium-bgp-cluster-config.ts";
import type { CiliumPeerConfig } from "./cilium-bgp-peer-config.ts";
import type { BackendSlice } from "./endpoint-slice.ts";
import type { Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { MetalLbAdvertisement } from "./metallb-bgp-advertisement.ts";
import type { MetalLbPeer } from "./metallb-bgp-peer.ts";
import type { MetalLbL2Advertisement } from "./metallb-l2-advertisement.ts";
import type { MetalLbPool } from "./metallb-pool.ts";
import type { KubernetesObject } from "./object-metadata.ts";

/** One object in our words. Services come without backends, which are joined when all objects are known. */
export type Manifest =
  | { readonly type: "settings"; readonly settings: Settings }
  | { readonly type: "node"; readonly node: ClusterNode }
  | { readonly type: "pool"; readonly pool: AddressPool }
  | { readonly type: "service"; readonly service: Service }
  | { readonly type: "backend-slice"; readonly slice: BackendSlice }
  | { readonly type: "bgp-policy"; readonly policy: BgpPolicy }
  | { readonly type: "flow-policy"; readonly policy: FlowPolicy }
  /** By key; `place` is `namespace/name`. */
  | { readonly type: "policy-files"; readonly place: string; readonly files: Readonly<Record<string, string>> }
  | { readonly type: "bgp-password"; readonly namespace: string; readonly name: string; readonly password: string }
  | { readonly type: "bgp-routers"; readonly routers: CiliumRouters }
  | { readonly type: "bgp-peer-config"; readonly name: string; readonly config: CiliumPeerConfig }
  | {
      readonly type: "bgp-advertisement";
      readonly name: string;
      readonly labels: Labels;
      readonly advertisements: readonly Advertisement[];
    }
  | { readonly type: "bgp-overrides"; readonly overrides: readonly RouterOverride[] }
  | { readonly type: "l2-policy"; readonly policy: L2Policy }
  | { readonly type: "metallb-pool"; readonly pool: MetalLbPool }
  | { readonly type: "metallb-peer"; readonly peer: MetalLbPeer }
  | { readonly type: "metallb-advertisement"; readonly advertisement: MetalLbAdvertisement }
  | { readonly type: "metallb-l2-advertisement"; readonly advertisement: MetalLbL2Advertisement }
  | { readonly type: "community-names"; readonly values: Readonly<Record<string, string>> }
  | { readonly type: "bfd-profile"; readonly name: string; readonly settings: BfdSettings }
  | { readonly type: "namespace"; readonly name: string; readonly labels: Labels }
  | { readonly type: "nothing" };

export interface KindAdapter {
  readonly kind: string;
  /** All versions that are read; they share one schema. */
  readonly apiVersions: readonly string[];
  readonly namespaced: boolean;
  readonly schema: JsonSchema;
  /** The schema is complete, so a field that it does not know is a mistake. */
  readonly closed: boolean;
  /** No message may repeat what the object holds. */
  readonly confidential?: true;
  /** What counts in place of an object that is refused, where nothing at all would be worse; by the object's name. */
  readonly insteadOfRefused?: (object: string) => Manifest | null;
  /** Called with an object that passed the schema. */
  readonly read: (object: KubernetesObject, report: Report) => Manifest;
}

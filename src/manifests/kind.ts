/** What an adapter of one kind is, and what it makes of an object. */
import type { AddressPool } from "../intent/address-pool.ts";
import type { BgpPolicy } from "../intent/bgp-policy.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Service } from "../intent/service.ts";
import type { Settings } from "../intent/settings.ts";
import type { BackendSlice } from "./endpoint-slice.ts";
import type { Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KubernetesObject } from "./object-metadata.ts";

/** One object in our words. Services come without backends, which are joined when all objects are known. */
export type Manifest =
  | { readonly type: "settings"; readonly settings: Settings }
  | { readonly type: "node"; readonly node: ClusterNode }
  | { readonly type: "pool"; readonly pool: AddressPool }
  | { readonly type: "service"; readonly service: Service }
  | { readonly type: "backend-slice"; readonly slice: BackendSlice }
  | { readonly type: "bgp-policy"; readonly policy: BgpPolicy }
  | { readonly type: "bgp-password"; readonly namespace: string; readonly name: string; readonly password: string }
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

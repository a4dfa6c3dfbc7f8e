/** MetalLB's `L2Advertisement`. */
import type { InterfaceChoice, NodePreference } from "../intent/l2-policy.ts";
import type { Selector } from "../intent/selector.ts";
import type { KindAdapter } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import { readSelectors } from "./metallb-pool.ts";
import { L2_ADVERTISEMENT_SPEC_SCHEMA } from "./metallb-schema.ts";
import { type KubernetesObject, objectSchema } from "./object-metadata.ts";

/** The pools that it chooses get their names when all objects are known. */
export interface MetalLbL2Advertisement {
  readonly object: string;
  readonly pools: readonly string[];
  readonly poolSelectors: readonly Selector[];
  readonly nodeSelectors: readonly Selector[];
  readonly serviceSelectors: readonly Selector[];
  readonly interfaces: readonly InterfaceChoice[];
  readonly preferences: readonly NodePreference[];
}

interface AdvertisementObject extends KubernetesObject {
  readonly spec?: {
    readonly ipAddressPools?: readonly string[];
    readonly ipAddressPoolSelectors?: readonly LabelSelector[];
    readonly nodeSelectors?: readonly LabelSelector[];
    readonly interfaces?: readonly string[];
    readonly serviceSelectors?: readonly LabelSelector[];
    readonly preferredNodeSelectors?: readonly { readonly weight: number; readonly preference: LabelSelector }[];
  } | null;
}

export const L2_ADVERTISEMENT: KindAdapter = {
  kind: "L2Advertisement",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: L2_ADVERTISEMENT_SPEC_SCHEMA, status: { type: "object" } }, []),
  read: (object, report) => {
    const { metadata, spec } = object as AdvertisementObject;
    const select = (name: "ipAddressPoolSelectors" | "nodeSelectors" | "serviceSelectors") =>
      readSelectors(spec?.[name], ["spec", name], report);
    return {
      type: "metallb-l2-advertisement",
      advertisement: {
        object: `L2Advertisement/${metadata.namespace}/${metadata.name}`,
        pools: spec?.ipAddressPools ?? [],
        poolSelectors: select("ipAddressPoolSelectors"),
        nodeSelectors: select("nodeSelectors"),
        serviceSelectors: select("serviceSelectors"),
        interfaces: (spec?.interfaces ?? []).map((text) => ({ text, expression: null })),
        preferences: (spec?.preferredNodeSelectors ?? []).flatMap(({ weight, preference }, index) => {
          const path = ["spec", "preferredNodeSelectors", index, "preference"];
          const selector = readSelector(preference, path, report);
          return selector === null ? [] : [{ weight, selector }];
        }),
      },
    };
  },
};

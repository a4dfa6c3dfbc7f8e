/** MetalLB's `BGPAdvertisement`, and `Community`, which gives names to the communities in it. */
import type { Selector } from "../intent/selector.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import type { LabelSelector } from "./label-selector.ts";
import { readSelectors } from "./metallb-pool.ts";
import { BGP_ADVERTISEMENT_SPEC_SCHEMA, COMMUNITY_SPEC_SCHEMA } from "./metallb-schema.ts";
import { type KubernetesObject, objectSchema } from "./object-metadata.ts";

/** What it chooses is joined when all objects are known: pools, peers, and the names of communities. */
export interface MetalLbAdvertisement {
  readonly object: string;
  readonly pools: readonly string[];
  readonly poolSelectors: readonly Selector[];
  /** Empty for all. */
  readonly peers: readonly string[];
  readonly nodeSelectors: readonly Selector[];
  readonly serviceSelectors: readonly Selector[];
  readonly aggregationLength: Readonly<Record<4 | 6, number>>;
  readonly localPreference: number | null;
  /** Values or names. */
  readonly communities: readonly string[];
}

interface AdvertisementObject extends KubernetesObject {
  readonly spec?: {
    readonly aggregationLength?: number | null;
    readonly aggregationLengthV6?: number | null;
    readonly localPref?: number;
    readonly communities?: readonly string[];
    readonly ipAddressPools?: readonly string[];
    readonly ipAddressPoolSelectors?: readonly LabelSelector[];
    readonly nodeSelectors?: readonly LabelSelector[];
    readonly peers?: readonly string[];
    readonly serviceSelectors?: readonly LabelSelector[];
  } | null;
}

interface CommunityObject extends KubernetesObject {
  readonly spec?: { readonly communities?: readonly { readonly name?: string; readonly value?: string }[] } | null;
}

export const BGP_ADVERTISEMENT: KindAdapter = {
  kind: "BGPAdvertisement",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: BGP_ADVERTISEMENT_SPEC_SCHEMA, status: { type: "object" } }, []),
  read: (object, report) => {
    const { metadata, spec: given } = object as AdvertisementObject;
    const spec = given ?? {};
    const select = (name: "ipAddressPoolSelectors" | "nodeSelectors" | "serviceSelectors") =>
      readSelectors(spec[name], ["spec", name], report);
    const aggregationLength = { 4: spec.aggregationLength ?? 32, 6: spec.aggregationLengthV6 ?? 128 };
    const serviceSelectors = select("serviceSelectors");
    if (serviceSelectors.length > 0 && (aggregationLength[4] !== 32 || aggregationLength[6] !== 128)) {
      report("error", ["spec", "serviceSelectors"], "can only be used with the default aggregation lengths");
    }
    return {
      type: "metallb-advertisement",
      advertisement: {
        object: `BGPAdvertisement/${metadata.namespace}/${metadata.name}`,
        pools: spec.ipAddressPools ?? [],
        poolSelectors: select("ipAddressPoolSelectors"),
        peers: spec.peers ?? [],
        nodeSelectors: select("nodeSelectors"),
        serviceSelectors,
        aggregationLength,
        localPreference: spec.localPref ?? null,
        communities: spec.communities ?? [],
      },
    };
  },
};

export const COMMUNITY: KindAdapter = {
  kind: "Community",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: COMMUNITY_SPEC_SCHEMA, status: { type: "object" } }, []),
  read: (object, report) => {
    const { spec } = object as CommunityObject;
    const aliases: Record<string, string> = {};
    for (const [index, { name = "", value = "" }] of (spec?.communities ?? []).entries()) {
      const path = ["spec", "communities", index];
      if (isCommunity(value, path, report)) aliases[name] = value;
    }
    return { type: "community-names", values: aliases };
  },
};

/** `n:n`, or `large:a:b:c`. */
function isCommunity(value: string, path: FieldPath, report: Report): boolean {
  if (/^\d{1,5}:\d{1,5}$/.test(value) || /^large:\d{1,10}:\d{1,10}:\d{1,10}$/.test(value)) return true;
  report("error", [...path, "value"], `must be like 65535:65281 or large:65000:1:2; is ${JSON.stringify(value)}`);
  return false;
}

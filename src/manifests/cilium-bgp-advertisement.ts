/** `CiliumBGPAdvertisement`: what is announced, to the sessions whose configuration selects its labels. */
import type { Advertisement, ServiceAddressKind } from "../intent/bgp-policy.ts";
import { ADVERTISEMENT_SPEC_SCHEMA } from "./cilium-bgp-schema.ts";
import { type CommunityFields, readCommunities } from "./communities.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import { CONDITIONS_STATUS_SCHEMA, type KubernetesObject, objectSchema } from "./object-metadata.ts";

interface AdvertisementFields {
  readonly advertisementType: "PodCIDR" | "CiliumPodIPPool" | "Service" | "Interface";
  readonly service?: {
    readonly addresses: readonly ServiceAddressKind[];
    readonly aggregationLengthIPv4?: number | null;
    readonly aggregationLengthIPv6?: number | null;
  } | null;
  readonly selector?: LabelSelector | null;
  readonly attributes?: {
    readonly communities?: CommunityFields | null;
    readonly localPreference?: number | null;
  } | null;
}

interface AdvertisementObject extends KubernetesObject {
  readonly spec: { readonly advertisements: readonly AdvertisementFields[] };
}

export const CILIUM_BGP_ADVERTISEMENT: KindAdapter = {
  kind: "CiliumBGPAdvertisement",
  apiVersions: ["cilium.io/v2", "cilium.io/v2alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: ADVERTISEMENT_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as AdvertisementObject;
    return {
      type: "bgp-advertisement",
      name: metadata.name,
      labels: metadata.labels ?? {},
      advertisements: spec.advertisements.flatMap((fields, index) =>
        readAdvertisement(fields, ["spec", "advertisements", index], report),
      ),
    };
  },
};

function readAdvertisement(fields: AdvertisementFields, path: FieldPath, report: Report): Advertisement[] {
  const { advertisementType, service } = fields;
  const selector = readSelector(fields.selector, [...path, "selector"], report);
  if (advertisementType === "CiliumPodIPPool" || advertisementType === "Interface") {
    report("warning", [...path, "advertisementType"], `${advertisementType} is not announced by this version`);
    return [];
  }
  if (advertisementType === "Service" && service == null) {
    report("error", [...path, "service"], "service field is required for the 'Service' advertisementType");
    return [];
  }
  return [
    {
      dialect: "cilium",
      families: [4, 6],
      nodeSelectors: null,
      services:
        advertisementType === "PodCIDR"
          ? null
          : {
              addresses: service!.addresses,
              // One that is not there selects nothing: announcing is opt-in.
              selectors: selector === null ? [] : [selector],
              pools: null,
              aggregationLength:
                service!.aggregationLengthIPv4 == null && service!.aggregationLengthIPv6 == null
                  ? null
                  : { 4: service!.aggregationLengthIPv4 ?? 32, 6: service!.aggregationLengthIPv6 ?? 128 },
            },
      ...readCommunities(fields.attributes?.communities ?? undefined, [...path, "attributes", "communities"], report),
      localPreference: fields.attributes?.localPreference ?? null,
    },
  ];
}

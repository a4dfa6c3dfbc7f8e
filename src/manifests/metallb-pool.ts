/** MetalLB's `IPAddressPool`. */
import type { AddressPool, PoolBlock } from "../intent/address-pool.ts";
import type { Selector } from "../intent/selector.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseCidrRange } from "../net/ip-range.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import { type LabelSelector, readSelector } from "./label-selector.ts";
import { IP_ADDRESS_POOL_SPEC_SCHEMA, IP_ADDRESS_POOL_STATUS_SCHEMA } from "./metallb-schema.ts";
import { createdAtMilliseconds, type KubernetesObject, objectSchema } from "./object-metadata.ts";

/** A pool whose namespaces are also chosen by label; they get their names when all objects are known. */
export interface MetalLbPool {
  readonly pool: AddressPool;
  readonly namespaceSelectors: readonly Selector[];
}

interface PoolObject extends KubernetesObject {
  readonly spec: {
    readonly addresses: readonly string[];
    readonly autoAssign: boolean;
    readonly avoidBuggyIPs: boolean;
    readonly serviceAllocation?: {
      readonly priority?: number;
      readonly namespaces?: readonly string[];
      readonly namespaceSelectors?: readonly LabelSelector[];
      readonly serviceSelectors?: readonly LabelSelector[];
    } | null;
  };
}

export const IP_ADDRESS_POOL: KindAdapter = {
  kind: "IPAddressPool",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: IP_ADDRESS_POOL_SPEC_SCHEMA, status: IP_ADDRESS_POOL_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as PoolObject;
    const allocation = spec.serviceAllocation ?? null;
    const path = ["spec", "serviceAllocation"];
    const namespaceSelectors = readSelectors(allocation?.namespaceSelectors, [...path, "namespaceSelectors"], report);
    const serviceSelectors = readSelectors(allocation?.serviceSelectors, [...path, "serviceSelectors"], report);
    const namespaces = allocation?.namespaces ?? [];
    const isLimited = namespaces.length > 0 || namespaceSelectors.length > 0;
    return {
      type: "metallb-pool",
      pool: {
        namespaceSelectors,
        pool: {
          dialect: "metallb",
          name: metadata.name,
          labels: metadata.labels ?? {},
          createdAtMilliseconds: createdAtMilliseconds(metadata),
          blocks: spec.addresses.flatMap((text, index) => readBlock(text, ["spec", "addresses", index], report)),
          serviceSelector: null,
          reservedFor:
            allocation === null
              ? null
              : {
                  priority: allocation.priority ?? 0,
                  namespaces: isLimited ? namespaces : null,
                  serviceSelectors: serviceSelectors.length === 0 ? null : serviceSelectors,
                },
          allowFirstLastAddresses: true,
          avoidBuggyAddresses: spec.avoidBuggyIPs,
          autoAssign: spec.autoAssign,
          disabled: false,
        },
      },
    };
  },
};

/** An empty list is none at all. */
export function readSelectors(
  selectors: readonly LabelSelector[] | undefined,
  path: FieldPath,
  report: Report,
): Selector[] {
  return (selectors ?? []).flatMap((selector, index) => readSelector(selector, [...path, index], report) ?? []);
}

function readBlock(text: string, path: FieldPath, report: Report): PoolBlock[] {
  const refuse = (message: string): PoolBlock[] => {
    report("error", path, message);
    return [];
  };
  if (!text.includes("-")) {
    const range = parseCidrRange(text.trim());
    if (range !== null) return [{ ...range, fromCidr: true, text }];
    return refuse(`must be a CIDR such as 192.0.2.0/24, or a range; is ${JSON.stringify(text)}`);
  }
  const [first, last, ...rest] = text.split("-").map((end) => parseIpAddress(end.trim()));
  if (first == null || last == null || rest.length > 0) {
    return refuse(`must be a range such as 192.0.2.10-192.0.2.20; is ${JSON.stringify(text)}`);
  }
  if (first.family !== last.family) return refuse("both ends must be of one family");
  if (first.value > last.value) return refuse("the first address comes after the last one; swap them");
  return [{ family: first.family, first: first.value, last: last.value, fromCidr: false, text }];
}

/** `CiliumLoadBalancerIPPool` (cilium.io/v2 and v2alpha1), including the name that blocks had up to Cilium 1.15. */
import type { PoolBlock } from "../intent/address-pool.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseCidrRange } from "../net/ip-range.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { LABEL_SELECTOR_SCHEMA, type LabelSelector, readSelector } from "./label-selector.ts";
import {
  CONDITIONS_STATUS_SCHEMA,
  createdAtMilliseconds,
  type KubernetesObject,
  objectSchema,
} from "./object-metadata.ts";

interface PoolObject extends KubernetesObject {
  readonly spec: {
    readonly blocks?: readonly BlockFields[];
    readonly cidrs?: readonly BlockFields[];
    readonly serviceSelector?: LabelSelector | null;
    readonly allowFirstLastIPs: "Yes" | "No";
    readonly disabled: boolean;
  };
}

interface BlockFields {
  readonly cidr?: string;
  readonly start?: string;
  readonly stop?: string;
}

const POOL_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    blocks: {
      type: "array",
      description: "Addresses in the order of allocation: a CIDR, or a range; a start alone is one address.",
      items: {
        type: "object",
        properties: { cidr: { type: "string" }, start: { type: "string" }, stop: { type: "string" } },
        "x-kubernetes-validations": [
          {
            rule: "has(self.cidr) ? !has(self.start) && !has(self.stop) : has(self.start)",
            message: "must have either a cidr, or a start with an optional stop",
          },
        ],
      },
    },
    cidrs: {
      type: "array",
      description: "The name of blocks up to Cilium 1.15.",
      items: { type: "object", required: ["cidr"], properties: { cidr: { type: "string" } } },
    },
    serviceSelector: LABEL_SELECTOR_SCHEMA,
    allowFirstLastIPs: { type: "string", enum: ["Yes", "No"], default: "Yes" },
    disabled: { type: "boolean", default: false },
  },
};

export const LOAD_BALANCER_IP_POOL: KindAdapter = {
  kind: "CiliumLoadBalancerIPPool",
  apiVersions: ["cilium.io/v2", "cilium.io/v2alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: POOL_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as PoolObject;
    const blocks = (["cidrs", "blocks"] as const).flatMap((list) =>
      (spec[list] ?? []).flatMap((block, index) => readBlock(block, ["spec", list, index], report)),
    );
    return {
      type: "pool",
      pool: {
        dialect: "cilium",
        name: metadata.name,
        labels: metadata.labels ?? {},
        createdAtMilliseconds: createdAtMilliseconds(metadata),
        blocks,
        serviceSelector: readSelector(spec.serviceSelector, ["spec", "serviceSelector"], report),
        allowFirstLastAddresses: spec.allowFirstLastIPs === "Yes",
        reservedFor: null,
        avoidBuggyAddresses: false,
        autoAssign: true,
        disabled: spec.disabled,
      },
    };
  },
};

function readBlock(block: BlockFields, path: FieldPath, report: Report): PoolBlock[] {
  if (block.cidr !== undefined && block.cidr !== "") {
    if (block.start !== undefined || block.stop !== undefined) {
      report("error", path, "must have either cidr or start and stop, not both");
      return [];
    }
    const range = parseCidrRange(block.cidr);
    if (range !== null) return [{ ...range, fromCidr: true, text: block.cidr }];
    report("error", [...path, "cidr"], `must be a CIDR such as 192.0.2.0/24; is ${JSON.stringify(block.cidr)}`);
    return [];
  }
  if (block.start === undefined || block.start === "") {
    report("error", path, "must have a cidr, or a start with an optional stop");
    return [];
  }
  const first = parseIpAddress(block.start);
  const stop = block.stop === undefined || block.stop === "" ? block.start : block.stop;
  const last = parseIpAddress(stop);
  if (first === null) {
    report("error", [...path, "start"], `must be an IP address; is ${JSON.stringify(block.start)}`);
  }
  if (last === null && stop !== block.start) {
    report("error", [...path, "stop"], `must be an IP address; is ${JSON.stringify(stop)}`);
  }
  if (first === null || last === null) return [];
  if (first.family !== last.family) {
    report("error", path, "start and stop must be of one family, both IPv4 or both IPv6");
    return [];
  }
  if (first.value > last.value) {
    report("error", path, `start ${block.start} comes after stop ${stop}; swap them`);
    return [];
  }
  const text = block.start === stop ? block.start : `${block.start} - ${stop}`;
  return [{ family: first.family, first: first.value, last: last.value, fromCidr: false, text }];
}

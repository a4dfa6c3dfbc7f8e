/**
 * Cilium's `CiliumL2AnnouncementPolicy`. The API server takes selectors and expressions that mean nothing, so such a policy
 * is not refused here either: it has no effect, and says so by Cilium's conditions.
 */
import type { InterfaceChoice, L2Fault } from "../intent/l2-policy.ts";
import { type FieldPath, formatPath, type Report } from "./finding.ts";
import { goExpression } from "./go-expression.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { LABEL_SELECTOR_SCHEMA, type LabelSelector, readSelector, selectorList } from "./label-selector.ts";
import { CONDITIONS_STATUS_SCHEMA, type KubernetesObject, objectSchema } from "./object-metadata.ts";

const SPEC_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    nodeSelector: LABEL_SELECTOR_SCHEMA,
    serviceSelector: LABEL_SELECTOR_SCHEMA,
    loadBalancerIPs: { type: "boolean", default: false },
    externalIPs: { type: "boolean", default: false },
    interfaces: { type: "array", nullable: true, items: { type: "string" } },
  },
};

interface PolicyObject extends KubernetesObject {
  readonly spec?: {
    readonly nodeSelector?: LabelSelector | null;
    readonly serviceSelector?: LabelSelector | null;
    readonly loadBalancerIPs?: boolean;
    readonly externalIPs?: boolean;
    readonly interfaces?: readonly string[] | null;
  } | null;
}

export const CILIUM_L2_ANNOUNCEMENT_POLICY: KindAdapter = {
  kind: "CiliumL2AnnouncementPolicy",
  apiVersions: ["cilium.io/v2alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, []),
  read: (object, report) => {
    const { kind, metadata, spec } = object as PolicyObject;
    const faults: Partial<Record<L2Fault, string>> = {};
    const blame =
      (fault: L2Fault): Report =>
      (_severity, path, message) => {
        faults[fault] ??= `${formatPath(path)}: ${message}`;
        report("warning", path, `${message}; the policy has no effect`);
      };
    const select = (field: "nodeSelector" | "serviceSelector", fault: L2Fault) =>
      selectorList(readSelector(spec?.[field], ["spec", field], blame(fault)));
    const loadBalancerAddresses = spec?.loadBalancerIPs ?? false;
    const externalAddresses = spec?.externalIPs ?? false;
    if (!loadBalancerAddresses && !externalAddresses) {
      report("warning", ["spec"], "announces nothing: neither loadBalancerIPs nor externalIPs is true");
    }
    return {
      type: "l2-policy",
      policy: {
        object: `${kind}/${metadata.name}`,
        dialect: "cilium",
        nodeSelectors: select("nodeSelector", "bad-node-selector"),
        serviceSelectors: select("serviceSelector", "bad-service-selector"),
        loadBalancerAddresses,
        externalAddresses,
        pools: null,
        interfaces: readInterfaces(spec?.interfaces ?? [], ["spec", "interfaces"], blame("bad-interface-regex")),
        preferences: [],
        faults,
      },
    };
  },
};

/** An empty list chooses every interface. */
function readInterfaces(texts: readonly string[], path: FieldPath, report: Report): InterfaceChoice[] | null {
  if (texts.length === 0) return null;
  return texts.flatMap((text, index) => {
    const translated = goExpression(text);
    if ("expression" in translated) return [{ text, expression: translated.expression }];
    report("error", [...path, index], translated.fault);
    return [];
  });
}

/** `SluicePolicy` (sluice.dev/v1alpha1): a policy module, for which Services, with which options. */
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { LABEL_SELECTOR_SCHEMA, type LabelSelector, readSelector } from "./label-selector.ts";
import { type KubernetesObject, objectSchema } from "./object-metadata.ts";

interface PolicyObject extends KubernetesObject {
  readonly spec: {
    readonly module: string;
    readonly order: number;
    readonly serviceSelector?: LabelSelector | null;
    readonly onError: "allow" | "deny";
    readonly revalidate: "never" | "on-change";
    readonly options: Readonly<Record<string, unknown>>;
  };
}

const POLICY_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  required: ["module"],
  properties: {
    module: {
      type: "string",
      minLength: 1,
      description:
        "builtin:NAME, configmap:NAMESPACE/NAME/KEY, or the path of a module (a file, or the folder of a package); in a file of manifests relative to that file.",
    },
    order: { type: "integer", default: 100, description: "Lower is asked earlier; equals by name." },
    serviceSelector: LABEL_SELECTOR_SCHEMA,
    onError: {
      type: "string",
      enum: ["allow", "deny"],
      default: "allow",
      description: "What becomes of a new flow when the module fails.",
    },
    revalidate: {
      type: "string",
      enum: ["never", "on-change"],
      default: "never",
      description: "Whether flows that are open are asked about again when the module or its options change.",
    },
    options: {
      type: "object",
      default: {},
      description: "What the module's own schema says.",
      "x-kubernetes-preserve-unknown-fields": true,
    },
  },
};

export const SLUICE_POLICY: KindAdapter = {
  kind: "SluicePolicy",
  apiVersions: ["sluice.dev/v1alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: POLICY_SPEC_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec } = object as PolicyObject;
    const selector = spec.serviceSelector ?? null;
    return {
      type: "flow-policy",
      policy: {
        name: metadata.name,
        module: spec.module,
        order: spec.order,
        serviceSelector: selector === null ? null : readSelector(selector, ["spec", "serviceSelector"], report),
        onError: spec.onError,
        revalidate: spec.revalidate,
        options: spec.options,
        where: null,
      },
    };
  },
};

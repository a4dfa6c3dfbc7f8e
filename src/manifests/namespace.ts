/** `Namespace` (v1): its labels, by which MetalLB's pools choose whom they serve. */
import type { KindAdapter } from "./kind.ts";
import { objectSchema } from "./object-metadata.ts";

export const NAMESPACE: KindAdapter = {
  kind: "Namespace",
  apiVersions: ["v1"],
  namespaced: false,
  closed: false,
  schema: objectSchema({}, []),
  read: ({ metadata }) => ({ type: "namespace", name: metadata.name, labels: metadata.labels ?? {} }),
};

/**
 * The kinds by which addresses are announced on a link (ARP, NDP): known, so that their definitions are installed and
 * their fields are checked, but not carried out by this version, which is said aloud.
 */
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { LABEL_SELECTOR_SCHEMA } from "./label-selector.ts";
import { L2_ADVERTISEMENT_SPEC_SCHEMA } from "./metallb-schema.ts";
import { CONDITIONS_STATUS_SCHEMA, objectSchema } from "./object-metadata.ts";

const L2_POLICY_SPEC_SCHEMA: JsonSchema = {
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

export const CILIUM_L2_ANNOUNCEMENT_POLICY: KindAdapter = {
  kind: "CiliumL2AnnouncementPolicy",
  apiVersions: ["cilium.io/v2alpha1"],
  namespaced: false,
  closed: true,
  schema: objectSchema({ spec: L2_POLICY_SPEC_SCHEMA, status: CONDITIONS_STATUS_SCHEMA }, []),
  read: (_object, report) => {
    report("warning", ["kind"], "announcing on a link is not supported by this version; it has no effect");
    return { type: "nothing" };
  },
};

export const L2_ADVERTISEMENT: KindAdapter = {
  kind: "L2Advertisement",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: L2_ADVERTISEMENT_SPEC_SCHEMA, status: { type: "object" } }, []),
  read: (_object, report) => {
    report("warning", ["kind"], "announcing on a link is not supported by this version; it has no effect");
    return { type: "nothing" };
  },
};

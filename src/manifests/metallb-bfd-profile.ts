/** MetalLB's `BFDProfile`: how fast a session finds out that its peer is gone. */
import type { BfdSettings } from "../intent/bgp-policy.ts";
import type { KindAdapter } from "./kind.ts";
import { BFD_PROFILE_SPEC_SCHEMA } from "./metallb-schema.ts";
import { type KubernetesObject, objectSchema } from "./object-metadata.ts";

interface ProfileObject extends KubernetesObject {
  readonly spec?: {
    readonly receiveInterval?: number | null;
    readonly transmitInterval?: number | null;
    readonly detectMultiplier?: number | null;
    readonly echoMode?: boolean | null;
    readonly passiveMode?: boolean | null;
    readonly minimumTtl?: number | null;
  } | null;
}

export const BFD_PROFILE: KindAdapter = {
  kind: "BFDProfile",
  apiVersions: ["metallb.io/v1beta1"],
  namespaced: true,
  closed: true,
  schema: objectSchema({ spec: BFD_PROFILE_SPEC_SCHEMA, status: { type: "object" } }, []),
  read: (object, report) => {
    const { metadata, spec } = object as ProfileObject;
    if (spec?.echoMode)
      report("warning", ["spec", "echoMode"], "is not supported; the session runs without echo packets");
    const settings: BfdSettings = {
      transmitMilliseconds: spec?.transmitInterval ?? 300,
      receiveMilliseconds: spec?.receiveInterval ?? 300,
      multiplier: spec?.detectMultiplier ?? 3,
      passive: spec?.passiveMode ?? false,
      minimumTtl: spec?.minimumTtl ?? 254,
    };
    return { type: "bfd-profile", name: metadata.name, settings };
  },
};

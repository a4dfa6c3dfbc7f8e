/** The envelope that all Kubernetes objects share, and what is read from it. */
import type { Labels } from "../intent/selector.ts";
import type { JsonSchema } from "./json-schema.ts";

export interface ObjectMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string | null;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[] | null;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMetadata;
}

export const STRING_MAP_SCHEMA: JsonSchema = { type: "object", additionalProperties: { type: "string" } };

const METADATA_SCHEMA: JsonSchema = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", format: "object-name" },
    namespace: { type: "string", format: "object-name" },
    labels: STRING_MAP_SCHEMA,
    annotations: STRING_MAP_SCHEMA,
    creationTimestamp: { type: "string", format: "date-time", nullable: true },
  },
};

/** The conditions of a status, as every kind of both dialects has them. */
export const CONDITIONS_SCHEMA: JsonSchema = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: {
    type: "object",
    required: ["type", "status", "lastTransitionTime", "reason", "message"],
    properties: {
      type: { type: "string", maxLength: 316 },
      status: { type: "string", enum: ["True", "False", "Unknown"] },
      observedGeneration: { type: "integer", minimum: 0 },
      lastTransitionTime: { type: "string", format: "date-time" },
      reason: { type: "string", minLength: 1, maxLength: 1024 },
      message: { type: "string", maxLength: 32768 },
    },
  },
};

export const CONDITIONS_STATUS_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: { conditions: CONDITIONS_SCHEMA },
};

/** The schema of a whole object; `spec`, `status` and the like are given. */
export function objectSchema(parts: Readonly<Record<string, JsonSchema>>, required: readonly string[]): JsonSchema {
  return {
    type: "object",
    required: ["apiVersion", "kind", "metadata", ...required],
    properties: { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: METADATA_SCHEMA, ...parts },
  };
}

export function createdAtMilliseconds(metadata: ObjectMetadata): number | null {
  return metadata.creationTimestamp == null ? null : Date.parse(metadata.creationTimestamp);
}

/** The value under the first of several spellings of an annotation, and which one it was. */
export function annotation(
  metadata: ObjectMetadata,
  spellings: readonly string[],
): { readonly key: string; readonly value: string } | null {
  for (const key of spellings) {
    const value = metadata.annotations?.[key];
    if (value !== undefined && value !== "") return { key, value };
  }
  return null;
}

/**
 * An object without what its schema doesn't know: an object of a cluster carries a history of its fields and much else that
 * nobody reads here, times ten thousand.
 */
import type { JsonSchema } from "./json-schema.ts";

/** What of the envelope is kept besides what the schema knows: who the object is, and in which state it was seen. */
const IDENTITY = ["uid", "resourceVersion", "generation", "ownerReferences", "deletionTimestamp"];

export function pruned(schema: JsonSchema, object: object): object {
  const kept = visit(schema, object) as { metadata?: Record<string, unknown> };
  const metadata = (object as { metadata?: Record<string, unknown> }).metadata ?? {};
  const identity = Object.fromEntries(IDENTITY.flatMap((key) => (key in metadata ? [[key, metadata[key]]] : [])));
  return { ...kept, metadata: { ...kept.metadata, ...identity } };
}

function visit(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) return schema.items === undefined ? value : value.map((item) => visit(schema.items!, item));
  const { properties } = schema;
  if (properties === undefined || typeof value !== "object" || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (Object.hasOwn(properties, key)) kept[key] = visit(properties[key]!, child);
  }
  return kept;
}

/**
 * Fields that a schema does not know: accepted, as an API server does, but pointed out, because a misspelt field is
 * silently a default.
 */
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import { nearMiss } from "./near-miss.ts";

export function reportUnknownFields(schema: JsonSchema, object: object, report: Report): void {
  const { metadata: _envelope, ...own } = object as Record<string, unknown>;
  visit(schema, own, report, []);
}

function visit(schema: JsonSchema, value: unknown, report: Report, path: FieldPath): void {
  if (Array.isArray(value)) {
    const items = schema.items;
    if (items === undefined) return;
    for (const [index, item] of value.entries()) visit(items, item, report, [...path, index]);
    return;
  }
  const properties = schema.properties;
  if (properties === undefined || typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (known !== undefined) {
      visit(known, child, report, [...path, key]);
      continue;
    }
    const meant = nearMiss(key, Object.keys(properties));
    const advice = meant === null ? "it has no effect" : `did you mean ${meant}?`;
    report("warning", [...path, key], `is not a field of this kind; ${advice}`);
  }
}

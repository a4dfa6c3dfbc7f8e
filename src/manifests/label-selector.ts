/** Kubernetes' LabelSelector. */
import { SELECTOR_OPERATORS, type Selector, type SelectorRequirement } from "../intent/selector.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import { STRING_MAP_SCHEMA } from "./object-metadata.ts";

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly (Omit<SelectorRequirement, "values"> & {
    readonly values?: readonly string[];
  })[];
}

export const LABEL_SELECTOR_SCHEMA: JsonSchema = {
  type: "object",
  nullable: true,
  properties: {
    matchLabels: STRING_MAP_SCHEMA,
    matchExpressions: {
      type: "array",
      items: {
        type: "object",
        required: ["key", "operator"],
        properties: {
          key: { type: "string", minLength: 1 },
          operator: { type: "string", enum: SELECTOR_OPERATORS },
          values: { type: "array", items: { type: "string" } },
        },
      },
    },
  },
};

/** `null` for a selector that is not there. */
export function readSelector(
  selector: LabelSelector | null | undefined,
  path: FieldPath,
  report: Report,
): Selector | null {
  if (selector == null) return null;
  const matchExpressions = (selector.matchExpressions ?? []).map((expression, index): SelectorRequirement => {
    const values = expression.values ?? [];
    const takesValues = expression.operator === "In" || expression.operator === "NotIn";
    const at = [...path, "matchExpressions", index, "values"];
    if (takesValues && values.length === 0) report("error", at, `must not be empty for ${expression.operator}`);
    if (!takesValues && values.length > 0) report("error", at, `must be empty for ${expression.operator}`);
    return { key: expression.key, operator: expression.operator, values };
  });
  return { matchLabels: selector.matchLabels ?? {}, matchExpressions };
}

/** As the Intent has it where several selectors may be given: one, or `null` for none. */
export function selectorList(selector: Selector | null): readonly Selector[] | null {
  return selector === null ? null : [selector];
}

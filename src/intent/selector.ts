/** Label selectors: which nodes or Services a pool or a policy is about. Requirements are joined by "and". */

export type Labels = Readonly<Record<string, string>>;

export const SELECTOR_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;
type SelectorOperator = (typeof SELECTOR_OPERATORS)[number];

export interface SelectorRequirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  readonly values: readonly string[];
}

export interface Selector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly SelectorRequirement[];
}

/** True when every requirement holds; an empty selector matches everything. */
export function matches(selector: Selector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels)) {
    if (labelValue(labels, key) !== value) return false;
  }
  return selector.matchExpressions.every((requirement) => requirementHolds(requirement, labels));
}

/** True when one of the selectors matches; `null` stands for no condition. */
export function matchesAny(selectors: readonly Selector[] | null, labels: Labels): boolean {
  return selectors === null || selectors.some((selector) => matches(selector, labels));
}

export function isEmptySelector(selector: Selector): boolean {
  return selector.matchExpressions.length === 0 && Object.keys(selector.matchLabels).length === 0;
}

function requirementHolds(requirement: SelectorRequirement, labels: Labels): boolean {
  const value = labelValue(labels, requirement.key);
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      // As Kubernetes has it: a missing label is not in any set.
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** Labels are people's words: "constructor" is a label key like any other. */
function labelValue(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

import { describe, expect, test } from "vitest";
import { matches, type SelectorRequirement } from "./selector.ts";

const labels = { app: "web", rack: "rack0" };

function expression(operator: SelectorRequirement["operator"], key: string, ...values: string[]) {
  return { matchLabels: {}, matchExpressions: [{ key, operator, values }] };
}

describe("a selector", () => {
  test.each([
    ["In with the value", expression("In", "app", "api", "web"), true],
    ["In with other values", expression("In", "app", "api"), false],
    ["In with a label that is not there", expression("In", "tier", "web"), false],
    ["NotIn with the value", expression("NotIn", "app", "web"), false],
    ["NotIn with a label that is not there", expression("NotIn", "tier", "web"), true],
    ["Exists", expression("Exists", "rack"), true],
    ["Exists with a label that every object inherits", expression("Exists", "constructor"), false],
    ["DoesNotExist", expression("DoesNotExist", "rack"), false],
    ["DoesNotExist with a label that is not there", expression("DoesNotExist", "tier"), true],
    ["nothing at all", { matchLabels: {}, matchExpressions: [] }, true],
    ["all labels", { matchLabels: { app: "web", rack: "rack0" }, matchExpressions: [] }, true],
    ["one wrong label of two", { matchLabels: { app: "web", rack: "rack1" }, matchExpressions: [] }, false],
  ])("that asks for %s: %s", (_what, selector, expected) => {
    expect(matches(selector, labels)).toBe(expected);
  });

  test("needs its labels and its expressions to hold", () => {
    const selector = { ...expression("In", "rack", "rack1"), matchLabels: { app: "web" } };
    expect(matches(selector, labels)).toBe(false);
  });
});

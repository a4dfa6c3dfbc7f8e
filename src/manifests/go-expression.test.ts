import { describe, expect, test } from "vitest";
import { goExpression } from "./go-expression.ts";

function matches(expression: string, text: string): boolean {
  const translated = goExpression(expression);
  if (!("expression" in translated)) throw new Error(translated.fault);
  return new RegExp(translated.expression, "v").test(text);
}

describe("an expression of Go's", () => {
  test.each([
    ["^net0$", ["net0"], ["net00", "xnet0"]],
    ["net", ["net0", "subnet1"], ["eth0"]],
    ["^eth[0-9]+", ["eth0", "eth12.7"], ["ethx", "veth0"]],
    ["^en[[:alpha:]][0-9]{1,2}$", ["eno1", "ens10"], ["en01", "eno123"]],
    ["^[^[:digit:]]+$", ["lo"], ["eth0"]],
    ["(?i)^ETH", ["eth0"], ["net0"]],
    ["^(?P<kind>eth|net)\\d$", ["eth1", "net2"], ["eth"]],
    ["\\Aeth\\z", ["eth"], ["eth0"]],
    ["^\\Qa.b\\E$", ["a.b"], ["axb"]],
    ["^(?:eth|bond)0\\.100$", ["bond0.100"], ["bond0x100"]],
    ["^[]a]+$", ["a]"], ["b"]],
    ["^[a-]+$", ["a-a"], ["b"]],
    ["^\\pL+$", ["eth"], ["eth0"]],
    ["^a{,2}$", ["a{,2}"], ["aa"]],
    ["^x&&y$", ["x&&y"], ["xy"]],
    ["^[a&&b]$", ["&"], ["c"]],
    ["^wlan\\x30$", ["wlan0"], ["wlan1"]],
    ["", ["anything"], []],
  ])("%s takes and leaves what it does there", (expression, taken, left) => {
    for (const text of taken) expect(matches(expression, text), text).toBe(true);
    for (const text of left) expect(matches(expression, text), text).toBe(false);
  });

  test.each([
    "eth(?=0)",
    "eth(?!0)",
    "(?<=e)th",
    "(?<!e)th",
    "(a)\\1",
    "eth[",
    "eth(",
    "eth)",
    "*eth",
    "a{1001}",
    "\\y",
    "[z-a]",
    "a\\",
    "[[:nothing:]]",
    "(?>a)",
    "a**",
  ])("%s is refused, as it is there", (expression) => {
    expect(goExpression(expression)).toEqual({ fault: expect.stringContaining(expression) });
  });
});

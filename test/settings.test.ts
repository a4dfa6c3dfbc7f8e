import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SETTINGS_FILE, settingsText } from "../scripts/settings.ts";

test("docs/settings.md is what the command line and the schemas say (node scripts/settings.ts writes it)", () => {
  expect(readFileSync(SETTINGS_FILE, "utf8")).toBe(settingsText());
});

test("it has every option of `sluice run`, and fields of every kind that people write", () => {
  const text = settingsText();
  for (const word of ["--uplink", "--metrics", "`localASN", "CiliumLoadBalancerIPPool", "BGPPeer", "L2Advertisement"])
    expect(text).toContain(word);
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SETTINGS_FILE, settingsText } from "../scripts/settings.ts";

const MANIFESTS = join(import.meta.dirname, "..", "src", "manifests");

test("docs/settings.md is what the command line and the schemas say (node scripts/settings.ts writes it)", () => {
  expect(readFileSync(SETTINGS_FILE, "utf8")).toBe(settingsText());
});

test("it has every option of `sluice run`, and fields of every kind that people write", () => {
  const text = settingsText();
  for (const word of ["--uplink", "--metrics", "`localASN", "CiliumLoadBalancerIPPool", "BGPPeer", "L2Advertisement"])
    expect(text).toContain(word);
});

test("it has every switch and every annotation that the program reads", () => {
  const text = settingsText();
  // What `sluice migrate` writes, nobody has to write.
  const files = readdirSync(MANIFESTS).filter((file) => !/\.test\.|^migrat/.test(file));
  const source = (file: string) => readFileSync(join(MANIFESTS, file), "utf8");
  const keys = files.flatMap((file) => {
    const found = source(file).matchAll(/"((?:[a-z0-9]+\.)+(?:io|dev)\/[\w.-]+)"/g);
    return [...found].map(([, key]) => key!).filter((key) => !/\/v\d|IPAM|\/(IPs|Pool)[A-Z]/.test(key));
  });
  expect(keys.length).toBeGreaterThan(10);
  for (const key of keys) expect(text).toContain(key);
  for (const [, key] of source("service.ts").matchAll(/`\$\{prefix\}([\w-]+)`/g))
    expect(text).toContain(`metallb.io/${key}`);
  const switches = [
    ...source("cilium-config.ts").matchAll(/(?:isOn\(|oneOf\(|data\[|Milliseconds: )"([a-z0-9]+(?:-[a-z0-9]+)+)"/g),
  ];
  expect(switches.length).toBeGreaterThan(12);
  for (const [, key] of switches) expect(text).toContain(`| \`${key}\` |`);
});

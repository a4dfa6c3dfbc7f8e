import { describe, expect, test } from "vitest";
import { ciliumConfig, intentOf } from "../../test/fixtures/kubernetes-objects.ts";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

describe("the ConfigMap cilium-config", () => {
  test('switches BGP on by "true" alone', () => {
    expect(intentOf(ciliumConfig({ "enable-bgp-control-plane": "true" })).settings.bgpEnabled).toBe(true);
    expect(intentOf(ciliumConfig({ "enable-bgp-control-plane": "false" })).settings.bgpEnabled).toBe(false);
    expect(intentOf(ciliumConfig({})).settings.bgpEnabled).toBe(false);
  });

  test("is not needed: without it the policies decide", () => {
    expect(intentOf().settings.bgpEnabled).toBe(true);
  });

  test("sets the table size and the default allocator, and ignores what it does not know", () => {
    const data = { "bpf-lb-maglev-table-size": "65521", "default-lb-service-ipam": "none", "enable-hubble": "maybe" };
    expect(intentOf(ciliumConfig(data)).settings).toMatchObject({ maglevTableSize: 65521, defaultServiceIpam: "none" });
  });

  test.each([
    ["enable-bgp-control-plane", "yes", 'must be one of true, false; is "yes"'],
    [
      "bpf-lb-maglev-table-size",
      "16384",
      'must be one of 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071; is "16384"',
    ],
  ])("with %s: %s names the field", (key, value, message) => {
    const { findings } = readObject(ciliumConfig({ [key]: value }));
    expect(findings.map(({ path, message }) => [formatPath(path), message])).toEqual([[`data.${key}`, message]]);
  });

  test("that is wrong counts as one with BGP off, not as none", () => {
    for (const data of [{ "enable-bgp-control-plane": "flase" }, { "enable-bgp-control-plane": false }]) {
      expect(readObject({ ...ciliumConfig({}), data }).manifest).toMatchObject({ settings: { bgpEnabled: false } });
    }
  });

  test("says how to write true where it was written without quotes", () => {
    const object = { ...ciliumConfig({}), data: { "enable-bgp-control-plane": true } };
    expect(readObject(object).findings[0]!.message).toBe('must be text: write it in quotes, "true"');
  });

  test("of another name is none of ours", () => {
    const object = { ...ciliumConfig({}), metadata: { name: "cilium-config", namespace: "default" } };
    expect(readObject(object).manifest).toEqual({ type: "nothing" });
  });
});

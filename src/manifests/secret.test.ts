import { describe, expect, test } from "vitest";
import { readObject } from "./read-object.ts";

const secret = (parts: object) =>
  readObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "kube-system" }, ...parts });

describe("a Secret", () => {
  test("without a password is nothing to us", () => {
    expect(secret({ data: { "tls.key": "eA==" } })).toMatchObject({ manifest: { type: "nothing" }, findings: [] });
  });

  test("has its plain text win over its base64", () => {
    const { manifest } = secret({ data: { password: btoa("old") }, stringData: { password: "néw" } });
    expect(manifest).toMatchObject({ type: "bgp-password", password: "néw" });
  });

  test("that is wrong is refused without a word of what it holds", () => {
    for (const parts of [
      { data: { password: "not base64 !" } },
      { stringData: { password: "x".repeat(81) } },
      { stringData: { password: 4711 } },
      { data: { password: ["xxx"] } },
    ]) {
      const { findings } = secret(parts);
      expect(findings).toHaveLength(1);
      expect(JSON.stringify(findings)).not.toMatch(/not base64 !|xxx|4711/);
    }
  });
});

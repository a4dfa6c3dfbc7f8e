import { describe, expect, test } from "vitest";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

function said(value: unknown): string[] {
  return readObject(value).findings.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`);
}

const pool = (more: object = {}) => ({
  apiVersion: "cilium.io/v2alpha1",
  kind: "CiliumLoadBalancerIPPool",
  metadata: { name: "p" },
  spec: { blocks: [] },
  ...more,
});

describe("an object of a kind", () => {
  test("that is a slip of the pen is an error that says what was meant", () => {
    expect(said(pool({ kind: "CiliumLoadbalancerIpPool" }))).toEqual([
      'error kind: "CiliumLoadbalancerIpPool" is not a kind; did you mean CiliumLoadBalancerIPPool?',
    ]);
    expect(said({ apiVersion: "v1", kind: "Servcie", metadata: { name: "a" } })).toEqual([
      'error kind: "Servcie" is not a kind; did you mean Service?',
    ]);
  });

  test("of ours under a wrong version is an error that says the right one", () => {
    expect(said(pool({ apiVersion: "cilium.io/v1" }))).toEqual([
      'error apiVersion: must be cilium.io/v2 or cilium.io/v2alpha1 for CiliumLoadBalancerIPPool; is "cilium.io/v1"',
    ]);
    expect(said(pool({ apiVersion: "cillium.io/v2" }))[0]).toMatch(/^error apiVersion: must be cilium.io\/v2 or/);
  });

  test("of another product is only noted, also when its name is like one of ours", () => {
    for (const [apiVersion, kind] of [
      ["apps/v1", "Deployment"],
      ["v1", "Pod"],
      ["cilium.io/v2", "CiliumNetworkPolicy"],
      ["serving.knative.dev/v1", "Service"],
    ]) {
      const read = readObject({ apiVersion, kind, metadata: { name: "a" } });
      expect(read.manifest).toBeNull();
      expect(read.findings.map(({ severity }) => severity)).toEqual(["note"]);
    }
  });

  test("that changes nothing is taken in silence", () => {
    expect(said({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } })).toEqual([]);
  });

  test("that is missing, or no object at all, is an error", () => {
    expect(said({ metadata: { name: "a" } })).toEqual(["error kind: is missing; it is required"]);
    expect(said({ kind: "Service" })).toEqual(["error apiVersion: is missing; it is required"]);
    expect(said(["a"])).toEqual(["error : must be a Kubernetes object with apiVersion, kind and metadata"]);
  });
});

describe("a field", () => {
  test("that no schema knows is pointed out, with the one that was probably meant", () => {
    expect(said(pool({ spec: { blocks: [{ cdir: "10.0.0.0/24", cidr: "10.0.0.0/24" }], colour: "red" } }))).toEqual([
      "warning spec.blocks[0].cdir: is not a field of this kind; did you mean cidr?",
      "warning spec.colour: is not a field of this kind; it has no effect",
    ]);
  });

  test("of text that was written without quotes says how to write it", () => {
    const labels = { "bgp-advertise": true };
    expect(said({ apiVersion: "v1", kind: "Service", metadata: { name: "a", labels }, spec: {} })).toEqual([
      'error metadata.labels.bgp-advertise: must be text: write it in quotes, "true"',
    ]);
  });

  test("that is required and missing is named", () => {
    expect(said(pool({ spec: undefined }))).toEqual(["error spec: is missing; it is required"]);
    expect(said(pool({ metadata: {} }))).toEqual(["error metadata.name: is missing; it is required"]);
  });

  test("that names the object must be a name as Kubernetes wants it", () => {
    expect(said(pool({ metadata: { name: "__proto__" } }))).toEqual([
      "error metadata.name: must be a name of lower-case letters, digits, '-' and '.', as Kubernetes wants it; " +
        'is "__proto__"',
    ]);
  });

  test("that is wrong leaves the object that was given as it was", () => {
    const object = { ...pool(), spec: { blocks: [{ cidr: 5 }] } };
    const copy = structuredClone(object);
    readObject(object);
    expect(object).toEqual(copy);
  });
});

describe("the name of an object", () => {
  test("says the namespace only where the kind has one, and default where none is written", () => {
    expect(readObject(pool({ metadata: { name: "p", namespace: "ignored" } })).object).toBe(
      "CiliumLoadBalancerIPPool/p",
    );
    expect(readObject({ apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: {} }).object).toBe(
      "Service/default/a",
    );
  });
});

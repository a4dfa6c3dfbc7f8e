import { describe, expect, test } from "vitest";
import { formatProblem } from "../intent/problem.ts";
import { readManifestText } from "./manifest-text.ts";

const said = (text: string) => readManifestText(text, "a.yaml").problems.map(formatProblem);
const objects = (text: string) =>
  readManifestText(text, "a.yaml").manifests.map(({ object, where }) => `${where} ${object}`);

const POLICY = `# a comment
apiVersion: cilium.io/v2alpha1
kind: BGPPeeringPolicy
metadata:
  name: x
spec:
  virtualRouters:
    - localASN: many
      neighbors:
        - peerASN: 65001
`;

const POOL = "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: p}\nspec: {}\n";

describe("a manifest file", () => {
  test("is told file, line, object and field of what is wrong", () => {
    expect(said(POLICY).toSorted()).toEqual([
      "a.yaml:10: BGPPeeringPolicy/x spec.virtualRouters[0].neighbors[0].peerAddress: is missing; it is required",
      'a.yaml:8: BGPPeeringPolicy/x spec.virtualRouters[0].localASN: must be a whole number, is "many"',
    ]);
  });

  test("may hold several documents, empty ones among them", () => {
    expect(objects(`${POOL}---\n# nothing\n---\n${POOL.replace("{name: p}", "{name: q}")}`)).toEqual([
      "a.yaml:1 CiliumLoadBalancerIPPool/p",
      "a.yaml:8 CiliumLoadBalancerIPPool/q",
    ]);
    expect(objects("")).toEqual([]);
  });

  test("may hold the list that kubectl prints", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${POOL.trimEnd().replaceAll("\n", "\n  ")}\n- kind: Service\n`;
    expect(objects(list)).toEqual(["a.yaml:4 CiliumLoadBalancerIPPool/p"]);
    expect(said(list)).toEqual(["a.yaml:8: Service/(no name) apiVersion: is missing; it is required"]);
  });

  test("may be JSON, also indented by tabs", () => {
    const json = { apiVersion: "cilium.io/v2", kind: "CiliumLoadBalancerIPPool", metadata: { name: "p" }, spec: {} };
    expect(objects(JSON.stringify(json, null, "\t"))).toEqual(["a.yaml:1 CiliumLoadBalancerIPPool/p"]);
    expect(said(JSON.stringify({ ...json, spec: { disabled: 1 } }, null, "\t"))).toEqual([
      "a.yaml:8: CiliumLoadBalancerIPPool/p spec.disabled: must be true or false (without quotes), is 1",
    ]);
  });

  test("that is no YAML loses only the document that is not", () => {
    const text = `${POOL}---\na: [1\n---\n${POOL.replace("{name: p}", "{name: q}")}`;
    expect(said(text)[0]).toMatch(/^a\.yaml:\d+: is not valid YAML: /);
    expect(objects(text)[0]).toBe("a.yaml:1 CiliumLoadBalancerIPPool/p");
  });

  test("that would grow without end by its aliases is refused", () => {
    const rows = Array.from({ length: 12 }, (_, row) =>
      row === 0 ? "a0: &a0 [x,x,x,x]" : `a${row}: &a${row} [*a${row - 1},*a${row - 1},*a${row - 1},*a${row - 1}]`,
    );
    expect(said(rows.join("\n"))).toEqual(["a.yaml:1: Excessive alias count indicates a resource exhaustion attack"]);
  });

  test("that is nested without end, or contains itself, is refused", () => {
    expect(said(`a: ${"[".repeat(100_000)}`)[0]).toMatch(/^a\.yaml(:\d+)?: /);
    expect(said("kind: &a [*a]\n")).toHaveLength(1);
  });

  test("with a scalar in place of an object is told so", () => {
    expect(said("just text\n")[0]).toContain("must be a Kubernetes object with apiVersion, kind and metadata");
  });
});

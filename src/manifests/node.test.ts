import { describe, expect, test } from "vitest";
import { clusterNode } from "../../test/fixtures/kubernetes-objects.ts";
import { formatRange } from "../net/ip-range.ts";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

function read(object: object) {
  const result = readObject(object);
  return {
    node: result.manifest?.type === "node" ? result.manifest.node : null,
    said: result.findings.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`),
  };
}

describe("a Node", () => {
  test("tells its interfaces, pod CIDRs and BGP settings", () => {
    const annotations = {
      "sluice.dev/interfaces": "net0, eth1",
      "cilium.io/bgp-virtual-router.65000": "router-id=192.0.2.1,local-port=1790",
    };
    const { node } = read(clusterNode("n", "10.1.1.2", { annotations, podCIDRs: ["10.2.3.0/24"] }));
    expect(node).toMatchObject({
      name: "n",
      interfaces: ["net0", "eth1"],
      bgpOverrides: [{ localAsn: 65000, routerId: "192.0.2.1", listenPort: 1790 }],
      excludedBecause: null,
    });
    expect(node!.podCidrs.map(({ range }) => formatRange(range))).toEqual(["10.2.3.0 - 10.2.3.255"]);
  });

  test("has its one pod CIDR where the list is not filled in", () => {
    const { node } = read(clusterNode("n", "10.1.1.2", { spec: { podCIDR: "10.2.3.0/24" } }));
    expect(node!.podCidrs).toHaveLength(1);
  });

  test.each([
    [{ labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } }, "label"],
    [{ spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] } }, "taint"],
  ])("with %j attracts no traffic", (parts, word) => {
    expect(read(clusterNode("n", "10.1.1.2", parts)).node!.excludedBecause).toContain(`the node has the ${word}`);
  });

  test("with a setting of BGP that is none is an error at the annotation", () => {
    const annotations = { "cilium.io/bgp-virtual-router.65000": "router-id=somewhere" };
    expect(read(clusterNode("n", "10.1.1.2", { annotations })).said).toEqual([
      'error metadata.annotations["cilium.io/bgp-virtual-router.65000"]: ' +
        'must be like router-id=192.0.2.1,local-port=1790; "router-id=somewhere" is not',
    ]);
  });
});

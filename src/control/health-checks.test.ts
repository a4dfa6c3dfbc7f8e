import { expect, test } from "vitest";
import { clusterNode, endpointSlice, intentOf, lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { healthChecksOnNode } from "./health-checks.ts";

test("a Service of the Local policy counts its ready endpoints on a node; others have no such port", () => {
  const spec = { externalTrafficPolicy: "Local", healthCheckNodePort: 32000 };
  const intent = intentOf(
    clusterNode("n1", "10.0.0.1"),
    lbService("a", { spec }),
    lbService("foreign", { spec: { ...spec, loadBalancerClass: "other.example/lb" } }),
    lbService("b"),
    endpointSlice("a", [
      { address: "10.1.0.1", node: "n1" },
      { address: "10.1.0.2", node: "n1", conditions: { ready: false } },
      { address: "10.1.0.3", node: "n2" },
    ]),
  );
  const check = { port: 32000, namespace: "default", name: "a" };
  expect(healthChecksOnNode(intent, "n1")).toEqual([{ ...check, localEndpoints: 1 }]);
  expect(healthChecksOnNode(intent, "n3")).toEqual([{ ...check, localEndpoints: 0 }]);
});

import { expect, test } from "vitest";
import {
  clusterNode,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
import { withParts } from "./parts.ts";
import { plan } from "./plan.ts";

const intent = intentOf(
  clusterNode("n1", "10.0.0.11"),
  ipPool("pool", ["10.9.0.0/24"]),
  lbService("web", { labels: { announced: "yes" } }),
  endpointSlice("web", [{ address: "10.1.0.5", node: "n1" }]),
  peeringPolicy("all", { serviceSelector: { matchLabels: { announced: "yes" } } }),
);

test("with BGP left to another speaker nothing is peered with, and addresses are given all the same", () => {
  const planned = plan(withParts(intent, { bgp: false, l2: true }));
  expect(planned.nodes["n1"]!.bgp).toEqual([]);
  expect(planned.services["default/web"]!.ingress).toEqual(["10.9.0.0"]);
  expect(plan(withParts(intent, { bgp: true, l2: false })).nodes["n1"]!.bgp).toHaveLength(1);
});

test("with every part its own, the intent is the very same", () => {
  expect(withParts(intent, { bgp: true, l2: true })).toBe(intent);
});

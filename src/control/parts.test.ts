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

test("an allocator of somebody else's that has been here is named, unless it is left to it", () => {
  const annotations = { "metallb.io/ip-allocated-from-pool": "pool" };
  const given = intentOf(
    ipPool("pool", ["10.9.0.0/24"]),
    ...["a", "b", "c", "d"].map((name) => lbService(name, { annotations })),
  );
  const said = (one: typeof given) => plan(one).problems.map(({ message }) => message);
  expect(said(given)).toEqual([
    "MetalLB's controller says that it gave default/a, default/b, default/c and 1 more their addresses; " +
      "if it still runs, leave that to one of the two (`sluice run --no-ipam`)",
  ]);
  expect(said({ ...given, settings: { ...given.settings, defaultServiceIpam: "none" } })).toEqual([]);
});

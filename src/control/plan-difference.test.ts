import { describe, expect, test } from "vitest";
import { clusterNode, intentOf, ipPool, lbService, peeringPolicy } from "../../test/fixtures/kubernetes-objects.ts";
import { plan } from "./plan.ts";
import { planDifference } from "./plan-difference.ts";

const NODE = clusterNode("n1", "10.1.1.1");
const POLICY = peeringPolicy("policy", { serviceSelector: { matchLabels: { bgp: "yes" } } });
const POOL = ipPool("p", ["20.0.0.0/24"]);
const announced = (name: string, held: readonly string[] = []) => lbService(name, { labels: { bgp: "yes" }, held });
const planned = (...objects: readonly object[]) => plan(intentOf(NODE, ...objects));

describe("the difference of two plans", () => {
  test("of the same objects is none", () => {
    const same = () => planned(POOL, POLICY, announced("a"));
    expect(planDifference(same(), same())).toEqual({ addresses: [], routes: [], owners: [], moves: false });
  });

  test("shows what is added, which moves nothing", () => {
    const difference = planDifference(planned(POOL, POLICY), planned(POOL, POLICY, announced("a")));
    expect(difference).toMatchObject({
      addresses: [{ service: "default/a", before: [], after: ["20.0.0.0"] }],
      routes: [{ node: "n1", peer: "10.0.0.1", prefix: "20.0.0.0/32", change: "announced" }],
      moves: false,
    });
  });

  test("shows an address that moves, and its routes", () => {
    const before = planned(POOL, POLICY, announced("a", ["20.0.0.9"]));
    const after = planned(ipPool("p", ["30.0.0.0/24"]), POLICY, announced("a", ["20.0.0.9"]));
    expect(planDifference(before, after)).toMatchObject({
      addresses: [{ service: "default/a", before: ["20.0.0.9"], after: ["30.0.0.0"] }],
      routes: [
        { prefix: "20.0.0.9/32", change: "withdrawn" },
        { prefix: "30.0.0.0/32", change: "announced" },
      ],
      moves: true,
    });
  });

  test("shows a route that is the same and yet another one", () => {
    const community = {
      neighbors: [
        {
          peerAddress: "10.0.0.1/32",
          peerASN: 65001,
          advertisedPathAttributes: [
            { selectorType: "CiliumLoadBalancerIPPool", communities: { wellKnown: ["no-export"] } },
          ],
        },
      ],
    };
    const changed = peeringPolicy("policy", { serviceSelector: { matchLabels: { bgp: "yes" } }, ...community });
    const difference = planDifference(planned(POOL, POLICY, announced("a")), planned(POOL, changed, announced("a")));
    expect(difference).toMatchObject({ addresses: [], routes: [{ change: "changed" }], moves: true });
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  endpointSlice,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
import { composeIntent, IntentComposer, type SourcedManifest } from "../manifests/compose-intent.ts";
import { readObject } from "../manifests/read-object.ts";
import { NodePlanner, nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const name = fc.constantFrom("a", "b", "c");
const POLICY = peeringPolicy("policy", {
  serviceSelector: { matchExpressions: [{ key: "x", operator: "NotIn", values: ["no"] }] },
  serviceAdvertisements: ["LoadBalancerIP", "ExternalIP"],
});
const L2 = {
  apiVersion: "cilium.io/v2alpha1",
  kind: "CiliumL2AnnouncementPolicy",
  metadata: { name: "l2" },
  spec: { loadBalancerIPs: true },
};

/** One object as it is from now on. */
const change = fc.oneof(
  fc.record({ name, local: fc.boolean(), port: fc.constantFrom(80, 81) }).map(({ name, local, port }) =>
    lbService(name, {
      port,
      spec: { externalTrafficPolicy: local ? "Local" : "Cluster", externalIPs: ["192.0.2.1"] },
    }),
  ),
  fc
    .record({
      name,
      node: fc.constantFrom("n1", "n2", "n9"),
      ready: fc.boolean(),
      last: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ name, node, ready, last }) =>
      endpointSlice(name, [{ address: `10.1.0.${last}`, node, conditions: { ready } }]),
    ),
  fc.constantFrom("10.0.0.0/31", "10.0.0.0/29").map((block) => ipPool("pool", [block])),
  fc.constantFrom("10.9.0.1", "10.9.0.2").map((address) => clusterNode("n1", address, { podCIDRs: ["10.1.0.0/24"] })),
  fc
    .constantFrom("true", "false")
    .map((bgp) => ciliumConfig({ "enable-bgp-control-plane": bgp, "enable-l2-announcements": bgp })),
);

function sourceOf(value: object): SourcedManifest {
  const { object, manifest } = readObject(value);
  return { object, where: "test", manifest: manifest! };
}

test("a plan that remembers the one before it is the plan made from nothing", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 25 }), (changes) => {
      const objects = new Map<string, SourcedManifest>();
      const put = (value: object) => {
        const source = sourceOf(value);
        objects.set(source.object, source);
      };
      for (const object of [clusterNode("n2", "10.9.0.9"), POLICY, L2]) put(object);
      const composer = new IntentComposer();
      const planner = new NodePlanner("n1");
      const scope = { nodeName: null, givesAddresses: true };
      for (const object of changes) {
        put(object);
        const { intent } = composer.compose([...objects.values()]);
        const fresh = composeIntent([...objects.values()]).intent;
        expect(intent).toEqual(fresh);
        const planned = plan(fresh, scope);
        expect(planner.plan(intent, scope)).toEqual({ planned, own: nodePlan(fresh, planned, "n1") });
      }
    }),
    { numRuns: 60 },
  );
});

test("what an endpoint does not touch is, in the next plan, the very same object", () => {
  const composer = new IntentComposer();
  const planner = new NodePlanner("n1");
  const base = [clusterNode("n1", "10.9.0.1"), ipPool("pool", ["10.0.0.0/24"]), POLICY, lbService("a"), lbService("b")];
  const sources = base.map(sourceOf);
  const withEndpoint = (last: number) => [
    ...sources,
    sourceOf(endpointSlice("b", [{ address: `10.1.0.${last}`, node: "n1" }])),
  ];
  const scope = { nodeName: "n1", givesAddresses: true };
  const before = planner.plan(composer.compose(withEndpoint(1)).intent, scope).own;
  const after = planner.plan(composer.compose(withEndpoint(2)).intent, scope).own;
  expect(after.bgp).toBe(before.bgp);
  expect(after.forwarding.owned).toBe(before.forwarding.owned);
  expect(after.forwarding.vips[0]).toBe(before.forwarding.vips[0]);
  expect(after.forwarding.vips[1]).not.toBe(before.forwarding.vips[1]);
});

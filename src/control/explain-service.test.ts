import { expect, test } from "vitest";
import { clusterNode, intentOf, ipPool, lbService, peeringPolicy } from "../../test/fixtures/kubernetes-objects.ts";
import { explainService } from "./explain-service.ts";
import { plan } from "./plan.ts";

const NODES = [clusterNode("n1", "10.0.0.1"), clusterNode("n2", "10.0.0.2")];
const POLICY = peeringPolicy("policy", { serviceSelector: { matchLabels: { bgp: "yes" } } });

function explain(service: object, ...objects: object[]) {
  const intent = intentOf(...NODES, service, ...objects);
  return explainService(intent, plan(intent), "default/a")!;
}

test("a Service that is announced shows its pool, its address and the route to each peer", () => {
  const { pool, ingress, because, nodes } = explain(
    lbService("a", { labels: { bgp: "yes" } }),
    ipPool("p", ["10.9.0.0/24"]),
    POLICY,
  );
  expect({ pool, ingress, because }).toEqual({ pool: "p", ingress: ["10.9.0.0"], because: [] });
  expect(nodes["n1"]).toMatchObject({
    notEligible: null,
    sessions: [{ because: null, routes: [{ prefix: "10.9.0.0/32", nextHop: "10.0.0.1" }] }],
  });
});

test("one without an address says of each pool why it does not serve it", () => {
  const { pools, because } = explain(
    lbService("a"),
    ipPool("off", ["10.8.0.0/24"], { spec: { disabled: true } }),
    ipPool("others", ["10.9.0.0/24"], { spec: { serviceSelector: { matchLabels: { app: "web" } } } }),
  );
  expect(pools).toEqual({
    off: "it is disabled",
    others: "its serviceSelector does not match the labels of the Service",
  });
  expect(because).toHaveLength(1);
});

test("one that is not announced says why, for each session", () => {
  const { nodes } = explain(lbService("a"), ipPool("p", ["10.9.0.0/24"]), POLICY);
  expect(nodes["n2"]!.sessions[0]!.because).toBe("no advertisement to this peer selects the labels of the Service");
  const local = lbService("a", { labels: { bgp: "yes" }, spec: { externalTrafficPolicy: "Local" } });
  const reason = "no ready endpoint on this node (externalTrafficPolicy: Local)";
  expect(explain(local, ipPool("p", ["10.9.0.0/24"]), POLICY).nodes["n1"]).toMatchObject({
    notEligible: reason,
    sessions: [{ because: reason, routes: [] }],
  });
});

test("there is nothing to say of a Service that does not exist", () => {
  const intent = intentOf(...NODES);
  expect(explainService(intent, plan(intent), "default/none")).toBeNull();
});

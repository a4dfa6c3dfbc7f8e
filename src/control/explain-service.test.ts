import { expect, test } from "vitest";
import {
  clusterNode,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
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
    endpointSlice("a", [{ address: "10.1.0.1", node: "n1" }]),
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

test("one whose endpoints are all on their way out or not ready says at which port clients are refused", () => {
  const refusing = (conditions: object) =>
    explain(
      lbService("a"),
      ipPool("p", ["10.9.0.0/24"]),
      endpointSlice("a", [{ address: "10.1.0.1", node: "n1", conditions }]),
    ).because;
  const refused = ["no endpoint takes new connections to port 80/TCP: they are refused"];
  expect(refusing({ ready: false })).toEqual(refused);
  expect(refusing({ ready: false, serving: false, terminating: true })).toEqual(refused);
  // What still answers takes them while nothing better is there (KEP-1669).
  expect(refusing({ ready: false, serving: true, terminating: true })).toEqual([]);
  expect(explain(lbService("a"), ipPool("p", ["10.9.0.0/24"])).because).toEqual(refused);
});

test("there is nothing to say of a Service that does not exist", () => {
  const intent = intentOf(...NODES);
  expect(explainService(intent, plan(intent), "default/none")).toBeNull();
});

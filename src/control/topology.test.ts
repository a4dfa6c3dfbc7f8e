import { expect, test } from "vitest";
import { clusterNode, endpointSlice, intentOf, ipPool, lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const ZONE = "topology.kubernetes.io/zone";
const NODES = [
  clusterNode("n1", "10.0.0.1", { labels: { [ZONE]: "a" } }),
  clusterNode("n2", "10.0.0.2", { labels: { [ZONE]: "b" } }),
  clusterNode("n3", "10.0.0.3"),
];

interface Endpoint {
  readonly ready?: boolean;
  readonly zones?: readonly string[];
  readonly nodes?: readonly string[];
}

const named = (names: readonly string[] = []) => names.map((name) => ({ name }));

/** The last octets of the backends that take new flows on a node. */
function backends(node: string, ...endpoints: readonly Endpoint[]): number[] {
  const slice = endpointSlice("a", []);
  const listed = endpoints.map(({ ready = true, zones, nodes }, index) => ({
    addresses: [`10.1.0.${index + 1}`],
    conditions: { ready },
    hints: { forZones: named(zones), forNodes: named(nodes) },
  }));
  const intent = intentOf(...NODES, ipPool("p", ["10.9.0.0/24"]), lbService("a"), { ...slice, endpoints: listed });
  const [vip] = nodePlan(intent, plan(intent), node).forwarding.vips;
  return vip!.backends
    .filter(({ draining }) => !draining)
    .map(({ address }) => Number(formatIpAddress(address).split(".")[3]));
}

test("backends meant for the zone of a node are those that it uses", () => {
  expect(backends("n1", { zones: ["a"] }, { zones: ["b"] })).toEqual([1]);
  expect(backends("n2", { zones: ["a"] }, { zones: ["a", "b"] })).toEqual([2]);
});

test("those meant for the node itself come first", () => {
  expect(backends("n1", { zones: ["a"], nodes: ["n1"] }, { zones: ["a"], nodes: ["n2"] })).toEqual([1]);
  expect(backends("n3", { zones: ["a"], nodes: ["n1"] }, { zones: ["a"], nodes: ["n2"] })).toEqual([1, 2]);
});

test("hints that are not complete, fit nobody, or meet a node without a zone are not followed", () => {
  expect(backends("n1", { zones: ["a"] }, {})).toEqual([1, 2]);
  expect(backends("n1", { zones: ["c"] }, { zones: ["b"] })).toEqual([1, 2]);
  expect(backends("n3", { zones: ["a"] }, { zones: ["b"] })).toEqual([1, 2]);
});

test("what is not ready need not have hints", () => {
  expect(backends("n1", { zones: ["a"] }, { zones: ["b"] }, { ready: false })).toEqual([1]);
});

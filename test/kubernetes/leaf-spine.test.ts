/**
 * The manifests of the leaf-spine document, applied by kubectl as they are printed: addresses, columns and routes. The
 * rule where the document contradicts itself: its outputs show 20.0.0.100 and on, which its pool can't give, so both are
 * run; and of two pools that fit, the one that selected the Service gives.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plan } from "../../src/control/plan.ts";
import { clusterNode, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { joinCluster, type TestMember } from "./fixtures/member.ts";

const MANIFESTS = join(import.meta.dirname, "../data/manifests/seed-b");
const manifest = (name: string) => readFileSync(join(MANIFESTS, name), "utf8");

let server: ApiServer;
let joined: TestMember;

beforeAll(async () => {
  server = await ApiServer.start();
  const nodes = [
    clusterNode("rack0-a", "10.0.5.11", { labels: { rack: "rack0" }, podCIDRs: ["10.1.0.0/24"] }),
    clusterNode("rack0-b", "10.0.5.12", { labels: { rack: "rack0" }, podCIDRs: ["10.1.3.0/24"] }),
    clusterNode("rack1-a", "10.0.10.11", { labels: { rack: "rack1" }, podCIDRs: ["10.1.1.0/24"] }),
    clusterNode("rack1-b", "10.0.10.12", { labels: { rack: "rack1" }, podCIDRs: ["10.1.2.0/24"] }),
  ];
  for (const node of nodes) {
    const { status, ...rest } = node;
    server.apply(rest);
    server.setStatus("node", node.metadata.name, status);
  }
  server.apply(manifest("bgp-peering-policies.yaml"));
  joined = joinCluster(server, "rack0-a");
});
afterAll(async () => {
  await joined?.member.close();
  await server?.close();
});

function routes(node: string): Record<string, string[]> {
  const planned = plan(joined.states.at(-1)!.intent, { nodeName: node, givesAddresses: false });
  const peers = planned.nodes[node]!.bgp.flatMap((instance) => instance.peers);
  return Object.fromEntries(peers.map((peer) => [peer.address, peer.routes.map(({ prefix }) => prefix)]));
}

const externalIp = (service: string) => server.kubectl("get", "svc", service).split("\n")[1]!.split(/\s+/)[3];

test("with the pool as printed the first Service gets the first address of the pool, and its counts are shown", async () => {
  server.apply(manifest("lb-pool.yaml"), manifest("nginx.yaml"));
  await waitFor("an address", () => externalIp("nginx-service") === "20.0.10.0");
  await waitFor("the counts", () => /lb-pool\s+false\s+False\s+255/.test(server.kubectl("get", "ippools")));
});

test("every node of a rack tells its own leaf of its pods and the Service, and no other", async () => {
  await waitFor("the address on all", () => routes("rack0-b")["10.0.5.1"]?.includes("20.0.10.0/32"));
  expect(routes("rack0-a")).toEqual({ "10.0.5.1": ["10.1.0.0/24", "20.0.10.0/32"] });
  expect(routes("rack0-b")).toEqual({ "10.0.5.1": ["10.1.3.0/24", "20.0.10.0/32"] });
  expect(routes("rack1-a")).toEqual({ "10.0.10.1": ["10.1.1.0/24", "20.0.10.0/32"] });
  expect(routes("rack1-b")).toEqual({ "10.0.10.1": ["10.1.2.0/24", "20.0.10.0/32"] });
});

test("a pool that is replaced by one with other addresses renumbers; six Services get .100 to .105 as they come", async () => {
  server.kubectl("delete", "svc", "nginx-service");
  server.kubectl("delete", "ippool", "lb-pool");
  server.apply({
    apiVersion: "cilium.io/v2alpha1",
    kind: "CiliumLoadBalancerIPPool",
    metadata: { name: "lb-pool" },
    spec: { blocks: [{ start: "20.0.0.100", stop: "20.0.0.200" }] },
  });
  server.apply(manifest("nginx.yaml"));
  for (const [index, name] of ["", "-2", "-3", "-4", "-5", "-6"].entries()) {
    if (index > 0) server.apply(lbService(`nginx-service${name}`, { labels: { "advertise-bgp": "true" } }));
    await waitFor(`address ${index}`, () => externalIp(`nginx-service${name}`) === `20.0.0.${100 + index}`);
  }
  const own = Array.from({ length: 6 }, (_, index) => `20.0.0.${100 + index}/32`);
  await waitFor("all routes", () => routes("rack1-b")["10.0.10.1"]!.length === 7);
  expect(routes("rack1-b")["10.0.10.1"]).toEqual(["10.1.2.0/24", ...own]);
});

test("of two pools that fit, the one that selects the Service gives, and its address is not announced by BGP", async () => {
  server.apply(manifest("l2-pool.yaml"));
  const service = lbService("l2-service", { labels: { "advertise-l2-rack0": "true" } });
  server.apply(service);
  await waitFor("the address", () => externalIp("l2-service") === "10.0.5.100");
  expect(routes("rack0-a")["10.0.5.1"]).not.toContain("10.0.5.100/32");
  expect(server.kubectl("get", "l2announcement")).toContain("l2-lb-policy-for-rack0");
});

/**
 * The whole product in a cluster: a real API server, kubectl with the document's manifests as printed, the gateway, a
 * real router, pods and a client. The API server runs in the node's namespace, on its loopback.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clusterNode, ipPool, lbService, peeringPolicy } from "../fixtures/kubernetes-objects.ts";
import { curl } from "../lab/curl.ts";
import { SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";

const URL = `http://${VIP}/`;
const MANIFESTS = join(import.meta.dirname, "../data/manifests/seed-a");
const manifest = (name: string) => readFileSync(join(MANIFESTS, name), "utf8");
const ROUTED = { timeoutSeconds: 30 };

/** One request after the other, each a connection of its own; says how many went well, or that one did not. */
const LOAD = `n=0; while true; do
  if curl -s -o /dev/null --max-time 2 ${URL}; then n=$((n+1)); echo ok $n; else echo failed after $n; fi; sleep 0.02
done`;

let lab: Lab;
let network: SeedA;
let server: ApiServer;
let sluice: LabProcess;

beforeAll(async () => {
  lab = new Lab("slk");
  network = await seedA(lab);
  server = await ApiServer.start({ within: network.node });
  const { status, ...node } = clusterNode("node1", NODE_ADDRESS);
  server.apply(node);
  server.setStatus("node", "node1", status);
  server.kubectl(
    "create",
    "configmap",
    "cilium-config",
    "-n",
    "kube-system",
    "--from-literal=enable-bgp-control-plane=false",
  );
  sluice = startSluice();
}, 120_000);

afterAll(async () => {
  await lab?.close();
  await server?.close();
});

function startSluice(): LabProcess {
  const where = ["--node", "node1", "--uplink", "net0", "--socket", join(lab.folder, "node1.sock")];
  const cluster = ["--kubernetes", "--kubeconfig", server.kubeconfig, "--state", join(lab.folder, "state.json")];
  return network.node.start("sluice", [SLUICE, "run", ...cluster, ...where]);
}

const bgp = (value: "true" | "false") =>
  server.kubectl(
    "-n",
    "kube-system",
    "patch",
    "cm",
    "cilium-config",
    "--type",
    "merge",
    "-p",
    `{"data":{"enable-bgp-control-plane":"${value}"}}`,
  );

test("the Service gets its address; with BGP off nothing is announced", async () => {
  server.apply(manifest("pool-and-endpoints.yaml"));
  expect(server.apply(manifest("bgp-peering-policy.yaml"))).toContain("created");
  server.apply(manifest("service.yaml"));
  await waitFor("EXTERNAL-IP", () => server.kubectl("get", "svc", "my-service").includes(VIP), {
    ...ROUTED,
    seen: () => sluice.log().slice(-2000),
  });
  expect(isVipRouted(network)).toBe(false);
});

test("the ConfigMap's patch as printed opens the session, and the client reaches a pod", async () => {
  bgp("true");
  await waitFor("the route", () => isVipRouted(network), ROUTED);
  expect(network.frr.paths(`${VIP}/32`)).toEqual([{ nextHop: NODE_ADDRESS, asPath: "65000" }]);
  expect(curl(network.client, URL).error).toBe("");
});

test("an endpoint that is not ready any more takes the route away, and back it comes", async () => {
  const slice = server.kubectl("get", "endpointslice", "-o", "name").trim().split("\n").at(-1)!;
  const spec = JSON.parse(server.kubectl("get", slice, "-o", "json")) as { endpoints: { conditions: object }[] };
  const withReady = (ready: boolean) => ({
    endpoints: spec.endpoints.map((endpoint) => ({ ...endpoint, conditions: { ready, serving: ready } })),
  });
  server.kubectl("patch", slice, "--type=merge", "-p", JSON.stringify(withReady(false)));
  await waitFor("the withdrawal", () => !isVipRouted(network), ROUTED);
  server.kubectl("patch", slice, "--type=merge", "-p", JSON.stringify(withReady(true)));
  await waitFor("the route", () => isVipRouted(network), ROUTED);
});

test("traffic does not notice what happens to the API server, or what nonsense it holds", async () => {
  const client = network.client.start("load", ["bash", "-c", LOAD]);
  await waitFor("traffic", () => client.log().includes("ok 20"), ROUTED);
  await server.kill();
  await server.start();
  // Not one of these is of use, and none is in the way of what is.
  server.apply(ipPool("pool-again", ["192.168.10.100-192.168.10.100"], { createdAt: "2030-01-01T00:00:00Z" }));
  server.apply(lbService("asks-for-nonsense", { spec: { loadBalancerIP: "not-an-address" } }));
  const [router] = peeringPolicy("twice", {}).spec.virtualRouters;
  server.apply(
    peeringPolicy("twice", {}, { virtualRouters: [router, router], nodeSelector: { matchLabels: { no: "x" } } }),
  );
  await waitFor(
    "an address for another one",
    () => {
      server.apply(ipPool("more", ["192.168.11.0/24"]), lbService("another"));
      return /192\.168\.11\.\d+/.test(server.kubectl("get", "svc", "another"));
    },
    { timeoutSeconds: 60, everyMilliseconds: 1000 },
  );
  const seen = Number(/ok (\d+)(?![\s\S]*ok )/.exec(client.log())?.[1]);
  await waitFor("more traffic", () => client.log().includes(`ok ${seen + 20}`), ROUTED);
  await client.stop("SIGTERM");
  expect(client.log()).not.toContain("failed");
  server.kubectl("delete", "ippool", "pool-again", "more");
  server.kubectl("delete", "svc", "asks-for-nonsense", "another");
  server.kubectl("delete", "bgpp", "twice");
}, 150_000);

test("without the API server everything goes on, also after a restart", async () => {
  await waitFor("the state on disk", () => readFileSync(join(lab.folder, "state.json"), "utf8").includes(VIP));
  await server.kill();
  expect(curl(network.client, URL).error).toBe("");
  await sluice.stop("SIGTERM");
  await waitFor("the withdrawal", () => !isVipRouted(network), ROUTED);
  sluice = startSluice();
  await waitFor("the route from the state on disk", () => isVipRouted(network), {
    ...ROUTED,
    seen: () => sluice.log().slice(-2000),
  });
  expect(curl(network.client, URL).error).toBe("");
});

test("back again, the API server is followed on: BGP off closes the session", async () => {
  await server.start();
  bgp("false");
  await waitFor("the withdrawal", () => !isVipRouted(network), { timeoutSeconds: 45 });
  expect(network.frr.lastNotification(NODE_ADDRESS)).toMatch(/Cease/);
});

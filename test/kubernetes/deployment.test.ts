/**
 * deploy/: every overlay is taken by a real API server, field by field, and a gateway runs with exactly the DaemonSet's
 * arguments, capabilities and permissions: /proc/sys can only be read, the node's own is mounted where the Pod has it.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { clusterNode } from "../fixtures/kubernetes-objects.ts";
import { curl } from "../lab/curl.ts";
import { SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { chargedBytes } from "../lab/process-vitals.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { type Container, daemonSetSocket, startDaemonSetProcess } from "./fixtures/daemonset-process.ts";
import { monitoringKinds } from "./fixtures/monitoring-kinds.ts";
import { queries, rulesFile, seriesAskedFor, seriesIn, TARGET_LABELS } from "./fixtures/monitoring-queries.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const MANIFESTS = join(import.meta.dirname, "../data/manifests/seed-a");
const OVERLAYS = readdirSync(join(DEPLOY, "overlays"));
const ROUTED = { timeoutSeconds: 60 };

/** What it takes for a gateway to have something to tell by each of its metrics, */
const WITH_EVERY_SERIES = [
  {
    ...{ apiVersion: "sluice.dev/v1alpha1", kind: "SluicePolicy", metadata: { name: "list" } },
    spec: { module: "builtin:prefix-list" },
  },
  {
    ...{ apiVersion: "cilium.io/v2alpha1", kind: "CiliumL2AnnouncementPolicy", metadata: { name: "link" } },
    spec: { loadBalancerIPs: true, interfaces: ["net0"] },
  },
  {
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cilium-config", namespace: "kube-system" } },
    data: { "enable-bgp-control-plane": "true", "enable-l2-announcements": "true" },
  },
];

/** but by this one: it takes a router that speaks BFD. Its labels are those of the session. */
const BFD = { metric: "sluice_bfd_session_up", labelledAs: "sluice_bgp_session_up" };

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Record<string, string>;
  readonly spec: { template: { spec: { containers: Container[] } } };
}

let lab: Lab;
let network: SeedA;
let server: ApiServer;
let sluice: LabProcess;

beforeAll(async () => {
  lab = new Lab("sly");
  network = await seedA(lab, { queues: 8 });
  server = await ApiServer.start({ within: network.node });
  server.apply(...monitoringKinds());
  server.kubectl("wait", "--for=condition=Established", "crd", "--all");
  const { status, ...node } = clusterNode("node1", NODE_ADDRESS);
  server.apply(node);
  server.setStatus("node", "node1", status);
}, 120_000);

afterAll(async () => {
  await lab?.close();
  await server?.close();
});

test.each(["base", ...OVERLAYS.map((name) => `overlays/${name}`)])(
  "the API server takes %s, and knows each of its fields",
  (name) => {
    const path = join(lab.folder, `${name.replace("/", "-")}.yaml`);
    writeFileSync(path, rendered(name));
    const applied = server.kubectl("apply", "--server-side", "--validate=strict", "--force-conflicts", "-f", path);
    expect(applied).toContain("daemonset.apps/sluice serverside-applied");
  },
);

test("an overlay changes what it says, and nothing else", () => {
  const args = (name: string) => gatewayOf(objects(rendered(name))).args;
  const base = args("base");
  expect(args("overlays/bgp")).toEqual([...base, "--no-l2"]);
  expect(args("overlays/l2")).toEqual([...base, "--no-bgp"]);
  expect(args("overlays/generic")).toEqual(base);
  expect(settingsOf(objects(rendered("overlays/generic")))["xdp-mode"]).toBe("generic");
  expect(args("overlays/all")).toEqual([
    ...base,
    "--speaker-socket=/run/sluice/speaker.sock",
    "--metrics=$(NODE_ADDRESS):9474",
  ]);
});

test("with the DaemonSet's arguments, capabilities and permissions the client reaches a pod", async () => {
  const all = objects(rendered("base"));
  const container = gatewayOf(all);
  expect(container.securityContext.capabilities.drop).toEqual(["ALL"]);
  sluice = startDaemonSetProcess(container, {
    ...{ lab, node: network.node, nodeName: "node1" },
    kubeconfig: server.accountKubeconfig("sluice"),
    settings: { ...settingsOf(all), uplink: "net0" },
  });
  for (const name of ["pool-and-endpoints.yaml", "bgp-peering-policy.yaml", "service.yaml"])
    server.apply(readFileSync(join(MANIFESTS, name), "utf8"));
  server.kubectl(
    ...["create", "configmap", "cilium-config", "-n", "kube-system"],
    "--from-literal=enable-bgp-control-plane=true",
  );
  await waitFor("the route", () => isVipRouted(network), { ...ROUTED, seen: () => sluice.log().slice(-2000) });
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  expect(sluice.log()).not.toContain("EPERM");
});

test("on an uplink of eight queues it takes the memory that the DaemonSet asks for, and a quarter of its limit", () => {
  const { requests, limits } = gatewayOf(objects(rendered("base"))).resources;
  const charged = chargedBytes(sluice);
  expect(charged).toBeLessThan(bytesOf(requests.memory));
  expect(charged).toBeGreaterThan(0.6 * bytesOf(requests.memory));
  expect(charged).toBeLessThan(bytesOf(limits.memory) / 4);
});

test("its probe answers where the DaemonSet asks", () => {
  const { host, port, path } = gatewayOf(objects(rendered("base"))).livenessProbe!.httpGet;
  expect(network.node.run(["curl", "-s", `http://${host}:${port}${path}`])).toBe("ok\n");
});

test("Prometheus takes every alert, the query of every panel, and what the gateway says of itself", () => {
  const path = join(lab.folder, "rules.yaml");
  writeFileSync(path, rulesFile());
  expect(promtool(["check", "rules", path])).toContain("SUCCESS");
  promtool(["check", "metrics"], metricsText());
});

test("every series, label and value that an alert or a panel asks for is one of the running gateway's", async () => {
  server.apply(...WITH_EVERY_SERIES);
  // With Cluster its route stays without endpoints, so that somebody may come in vain.
  server.kubectl("patch", "service", "my-service", "-p", '{"spec":{"externalTrafficPolicy":"Cluster"}}');
  server.kubectl("delete", "endpointslice", "my-service-manual", "--ignore-not-found");
  expect(metricsText()).toContain(`# TYPE ${BFD.metric} gauge`);
  const asked = [...new Set(queries().flatMap(seriesAskedFor))].map((one) => one.replace(BFD.metric, BFD.labelledAs));
  expect(asked.length).toBeGreaterThan(20);
  let missing: string[] = [];
  const shown = () => {
    curl(network.client, `http://${VIP}/`, { timeoutSeconds: 1 });
    const known = seriesIn(metricsText());
    missing = asked.filter((one) => !known.has(one));
    return missing.length === 0;
  };
  await waitFor("all of them", shown, { timeoutSeconds: 30, everyMilliseconds: 500, seen: () => missing });
});

test("a label of a metric has no name that Prometheus gives to the target", () => {
  const own = [...seriesIn(metricsText())].map((one) => /\{(\w+)\}$/.exec(one)?.[1]).filter(Boolean);
  expect(TARGET_LABELS.filter((name) => own.includes(name))).toEqual([]);
});

test("the preStop command of the DaemonSet takes the routes away", async () => {
  const drained = network.node.run([SLUICE, "drain", "--grace=1", "--timeout=20", "--socket", daemonSetSocket(lab)]);
  expect(drained).toContain("withdrawn: 0 routes");
  await sluice.stop("SIGTERM");
});

function metricsText(): string {
  return network.node.run(["curl", "-s", "http://127.0.0.1:9472/metrics"]);
}

function promtool(words: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync("promtool", words, { input, encoding: "utf8" });
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

function rendered(folder: string): string {
  return server.kubectl("kustomize", join(DEPLOY, folder));
}

function objects(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

function gatewayOf(all: readonly Manifest[]): Container {
  return all
    .find(({ kind }) => kind === "DaemonSet")!
    .spec.template.spec.containers.find(({ name }) => name === "gateway")!;
}

/** `640Mi`, `3Gi`. */
function bytesOf(quantity: string): number {
  const [, number, unit] = /^(\d+)([MG])i$/.exec(quantity)!;
  return Number(number) * (unit === "M" ? 1 << 20 : 1 << 30);
}

function settingsOf(all: readonly Manifest[]): Record<string, string> {
  return all.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "sluice")!.data!;
}

/**
 * deploy/: every overlay is taken by a real API server, field by field, and a gateway runs with exactly the DaemonSet's
 * arguments, capabilities and permissions: /proc/sys can only be read, the node's own is mounted where the Pod has it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { clusterNode } from "../fixtures/kubernetes-objects.ts";
import { curl } from "../lab/curl.ts";
import { SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { type Container, daemonSetSocket, startDaemonSetProcess } from "./fixtures/daemonset-process.ts";
import { monitoringKinds } from "./fixtures/monitoring-kinds.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const MANIFESTS = join(import.meta.dirname, "../data/manifests/seed-a");
const OVERLAYS = readdirSync(join(DEPLOY, "overlays"));
const ROUTED = { timeoutSeconds: 60 };

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
  network = await seedA(lab);
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

test("its probe answers where the DaemonSet asks", () => {
  const { host, port, path } = gatewayOf(objects(rendered("base"))).livenessProbe!.httpGet;
  expect(network.node.run(["curl", "-s", `http://${host}:${port}${path}`])).toBe("ok\n");
});

test("every series that an alert or a panel asks for is one of the running gateway's", () => {
  const metrics = network.node.run(["curl", "-s", "http://127.0.0.1:9472/metrics"]);
  const known = new Set([...metrics.matchAll(/^# TYPE (\w+) (\w+)/gm)].map(([, name]) => name!));
  const histogram = [...metrics.matchAll(/^# TYPE (\w+) histogram/gm)].map(([, name]) => `${name}_bucket`);
  const queries = ["prometheus-rule.yaml", "dashboard.json"].flatMap((file) =>
    [...readFileSync(join(DEPLOY, "components/monitoring", file), "utf8").matchAll(/\bsluice_\w+/g)].map(
      ([name]) => name,
    ),
  );
  expect(queries.length).toBeGreaterThan(20);
  expect([...new Set(queries)].filter((name) => !known.has(name) && !histogram.includes(name))).toEqual([]);
});

test("the preStop command of the DaemonSet takes the routes away", async () => {
  const drained = network.node.run([SLUICE, "drain", "--grace=1", "--timeout=20", "--socket", daemonSetSocket(lab)]);
  expect(drained).toContain("withdrawn: 0 routes");
  await sluice.stop("SIGTERM");
});

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

function settingsOf(all: readonly Manifest[]): Record<string, string> {
  return all.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "sluice")!.data!;
}

/**
 * A policy whose module and list are keys of ConfigMaps, in a running gateway that follows a real API server: put there by
 * the commands of docs/policies.md, changed, broken and mended by kubectl, seen on real connections.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PolicyStatus } from "../../src/agent/node-policies.ts";
import { clusterNode } from "../fixtures/kubernetes-objects.ts";
import { curl } from "../lab/curl.ts";
import { Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";

const MANIFESTS = join(import.meta.dirname, "../data/manifests/seed-a");
const CONFIGMAP = ["-n", "sluice-system", "configmap", "my-policies"];
const PATIENCE = { timeoutSeconds: 30 };

const moduleOf = (version: string, reason: string) => `
  import { Continue, definePolicy } from "sluice/policy";
  export default definePolicy({
    version: "${version}",
    create({ state }) {
      const denied = state.prefixes("denied", { file: "configmap:sluice-system/my-policies/denied.txt" });
      return { onNewFlow: (flow) => (denied.has(flow.client) ? flow.deny("${reason}") : Continue) };
    },
  });`;

/** What the ConfigMap has in the end. */
const GOOD: Readonly<Record<string, string>> = {
  "policy.ts": moduleOf("2", "on the list of version 2"),
  "denied.txt": "192.0.2.0/24\n203.0.113.0/24\n",
};

let lab: Lab;
let network: SeedA;
let server: ApiServer;
let gateway: Gateway;

beforeAll(async () => {
  lab = new Lab("slm");
  network = await seedA(lab);
  server = await ApiServer.start({ within: network.node });
  const { status, ...node } = clusterNode("node1", NODE_ADDRESS);
  server.apply(node);
  server.setStatus("node", "node1", status);
  const settings = ["cilium-config", "-n", "kube-system", "--from-literal=enable-bgp-control-plane=true"];
  server.kubectl("create", "configmap", ...settings);
  for (const name of ["pool-and-endpoints", "bgp-peering-policy", "service"]) {
    server.apply(readFileSync(join(MANIFESTS, `${name}.yaml`), "utf8"));
  }
  const state = ["--state", join(lab.folder, "state.json")];
  const cluster = ["--kubernetes", "--kubeconfig", server.kubeconfig, ...state];
  gateway = await Gateway.start(lab, network.node, { cluster, node: "node1", uplink: "net0" });
  await waitFor("the route", () => isVipRouted(network), PATIENCE);
}, 120_000);

afterAll(async () => {
  lab?.close();
  await server?.close();
});

const isServed = () => curl(network.client, `http://${VIP}/`, { timeoutSeconds: 1 }).exitCode === 0;

async function policies(): Promise<PolicyStatus[]> {
  return gateway.read("/v1/policies");
}

/** Writes a key of the ConfigMap anew, as an editor would. */
function edit(key: string, text: string): void {
  server.kubectl("patch", ...CONFIGMAP, "--type=merge", "-p", JSON.stringify({ data: { [key]: text } }));
}

async function inForce(version: string): Promise<PolicyStatus> {
  const find = async () => (await policies()).find((one) => one.version === version && one.problem === null);
  await waitFor(`version ${version}`, async () => (await find()) !== undefined, PATIENCE);
  return (await find())!;
}

test("a module and a list in a ConfigMap are in force once the policy names them", async () => {
  expect(isServed()).toBe(true);
  const files = { "policy.ts": moduleOf("1", "listed"), "denied.txt": `# scanners\n${CLIENT_ADDRESS}/32\n` };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(lab.folder, name), text);
  const fromFiles = Object.keys(files).map((name) => `--from-file=${join(lab.folder, name)}`);
  server.kubectl("-n", "sluice-system", "create", "configmap", "my-policies", ...fromFiles);
  server.kubectl("-n", "sluice-system", "label", "configmap", "my-policies", "sluice.dev/policy=true");
  server.apply({
    apiVersion: "sluice.dev/v1alpha1",
    kind: "SluicePolicy",
    metadata: { name: "listed" },
    spec: { module: "configmap:sluice-system/my-policies/policy.ts" },
  });
  await inForce("1");
  expect(isServed()).toBe(false);
  await waitFor("the reason", async () => (await inForce("1")).reasons.includes("listed"));
});

test("an edited list changes who is denied", async () => {
  edit("denied.txt", "192.0.2.0/24\n");
  await waitFor("the client to be served", isServed, PATIENCE);
  edit("denied.txt", GOOD["denied.txt"]!);
  await waitFor("the client to be denied", () => !isServed(), PATIENCE);
});

test("an edited module is the new version", async () => {
  edit("policy.ts", GOOD["policy.ts"]!);
  await inForce("2");
  expect(isServed()).toBe(false);
  await waitFor("its reason", async () => (await inForce("2")).reasons.includes("on the list of version 2"));
});

test.each([
  ["a module that is none", "policy.ts", "this is no TypeScript"],
  ["a list with a line that is no prefix", "denied.txt", "192.0.2.0/24\nnonsense\n"],
])("%s leaves the version before it in force, and it is said why", async (_, key, text) => {
  edit(key, text);
  const problem = async () => (await policies())[0]?.problem ?? null;
  await waitFor("the complaint", async () => (await problem()) !== null, PATIENCE);
  expect(await problem()).toMatch(/^configmap:sluice-system\/my-policies\/policy\.ts: .*; version 2 stays in force$/s);
  if (key === "denied.txt") expect(await problem()).toContain('my-policies/denied.txt:2: "nonsense" is no prefix');
  expect((await policies())[0]!.version).toBe("2");
  expect(gateway.ask("policies")).toMatch(/stays\s+in\s+force/);
  expect(isServed()).toBe(false);
  edit(key, GOOD[key]!);
  await inForce("2");
});

test("without its ConfigMap the version before it stays in force, and it is said what is missing", async () => {
  server.kubectl("delete", ...CONFIGMAP);
  const missing = async () => (await policies())[0]?.problem ?? "";
  await waitFor("the complaint", async () => (await missing()).includes("there is no configmap:"), PATIENCE);
  expect(isServed()).toBe(false);
  server.kubectl("delete", "sluicepolicy", "listed");
  await waitFor("the end of the policy", async () => (await policies()).length === 0, PATIENCE);
  expect(isServed()).toBe(true);
});

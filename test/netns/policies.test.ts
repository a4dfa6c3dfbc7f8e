/**
 * Policy modules in a running gateway, as the guide tells a newcomer: the template is copied, tested offline, deployed by
 * adding a manifest, seen at work on real connections, changed live. Then some that misbehave.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PolicyStatus } from "../../src/agent/node-policies.ts";
import type { FlowStatus } from "../../src/agent/status.ts";
import { Configuration } from "../lab/configuration.ts";
import { curlMany } from "../lab/curl.ts";
import { Gateway, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const TEMPLATE = join(import.meta.dirname, "..", "..", "templates", "policy");
const OTHER_CLIENT = "203.0.113.11";

const CANARY = `
apiVersion: cilium.io/v2alpha1
kind: CiliumLoadBalancerIPPool
metadata: {name: canary-pool}
spec:
  blocks: [{cidr: 192.168.10.101/32}]
---
apiVersion: v1
kind: Service
metadata: {name: canary, namespace: default}
spec:
  type: LoadBalancer
  ports: [{protocol: TCP, port: 80, targetPort: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: canary-1, namespace: default, labels: {kubernetes.io/service-name: canary}}
addressType: IPv4
endpoints:
  - {addresses: ["10.2.3.6"], nodeName: node1, conditions: {ready: true}}
ports: [{name: "", port: 80, protocol: TCP}]
`;

let lab: Lab;
let network: SeedA;
let gateway: Gateway;
let configuration: Configuration;

beforeAll(async () => {
  lab = new Lab("slp");
  network = await seedA(lab);
  network.client.ip(`addr add ${OTHER_CLIENT}/24 dev eth0`);
  configuration = new Configuration(lab, "seed-a");
  configuration.write("canary.yaml", CANARY);
  gateway = await Gateway.start(lab, network.node, {
    configuration: configuration.folder,
    node: "node1",
    uplink: "net0",
  });
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

/** Which pod answers a client; `""` when none does. */
function ask(client = CLIENT_ADDRESS): string {
  const command = ["curl", "-sS", "--max-time", "1", "--interface", client, `http://${VIP}/`];
  return network.client.try(command).stdout.trim();
}

/** Which pods answer ten connections of a client. */
function answers(client?: string): Set<string> {
  return new Set(Array.from({ length: 10 }, () => ask(client)));
}

function policies(): PolicyStatus[] {
  return JSON.parse(gateway.ask("policies", "-o", "json")) as PolicyStatus[];
}

function flows(): FlowStatus[] {
  return JSON.parse(gateway.ask("flows", "-o", "json")) as FlowStatus[];
}

function deploy(name: string, module: string, more = ""): void {
  const manifest = `apiVersion: sluice.dev/v1alpha1\nkind: SluicePolicy\nmetadata: {name: ${name}}\nspec:\n  module: ${module}\n`;
  configuration.write(`${name}.yaml`, `${manifest}  serviceSelector: {matchLabels: {bgp-advertise: "true"}}\n${more}`);
}

const hook = (body: string) =>
  `import { Allow, Continue, definePolicy } from "sluice/policy";
   export default definePolicy({ version: "1", create: () => ({ onNewFlow(flow) { ${body} } }) });`;

test("a newcomer copies the template, tests it offline, and it passes", () => {
  cpSync(TEMPLATE, join(configuration.folder, "my-policy"), { recursive: true });
  const tests = network.client.try([
    "env",
    `SLUICE=${SLUICE}`,
    "npm",
    "--prefix",
    join(configuration.folder, "my-policy"),
    "test",
  ]);
  expect(tests.stdout).toMatch(/pass 3/);
  expect(tests.status).toBe(0);
});

test("deployed by a manifest it denies one client and sends another to the canary", async () => {
  expect(answers()).toEqual(new Set(["pod1", "pod2"]));
  const options = `  options: {canary: default/canary, denied: ["${OTHER_CLIENT}"], testers: ["${CLIENT_ADDRESS}"]}\n`;
  deploy("my-policy", "./my-policy/policy.ts", options);
  await waitFor("the policy", () => policies().some(({ version }) => version === "1"));
  expect(answers()).toEqual(new Set(["pod2"]));
  expect(ask(OTHER_CLIENT)).toBe("");
  const [status] = policies();
  expect(status).toMatchObject({ name: "my-policy", problem: null, reasons: ["denied client"] });
  expect(status!.stats.serviceChosen).toBe(10);
  expect(status!.stats.denied).toBeGreaterThanOrEqual(1);
  expect(network.node.run(["curl", "-sS", "--unix-socket", gateway.socket, "http://sluice/metrics"])).toMatch(
    /sluice_policy_answers_total\{policy="my-policy",answer="service"\} 10/,
  );
});

test("changed on disk it changes at once; a version that does not load leaves the old one in force", async () => {
  const file = join(configuration.folder, "my-policy", "policy.ts");
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text
      .replace('version: "1"', 'version: "2"')
      .replace("return Continue;", 'return flow.deny("nobody");')
      .replace("testers.has(flow.client)", "false"),
  );
  await waitFor("version 2", () => policies().some(({ version }) => version === "2"));
  expect(ask()).toBe("");
  writeFileSync(file, "this is no TypeScript");
  await waitFor("the complaint", () => policies().some(({ problem }) => problem !== null));
  expect(policies()[0]!.problem).toMatch(/version 2 stays in force/);
  expect(ask()).toBe("");
  writeFileSync(file, text);
  await waitFor("version 1", () => policies().some(({ version, problem }) => version === "1" && problem === null));
  expect(answers()).toEqual(new Set(["pod2"]));
  configuration.remove("my-policy.yaml");
  await waitFor("no policies", () => policies().length === 0);
  expect(answers()).toEqual(new Set(["pod1", "pod2"]));
});

test("open flows are asked about again only where that is configured", async () => {
  writeFileSync(join(configuration.folder, "open.ts"), hook("return Continue;"));
  for (const revalidate of ["never", "on-change"]) {
    deploy("open", "./open.ts", `  revalidate: ${revalidate}\n`);
    await waitFor("the policy", () => policies().length === 1);
    const connection = network.client.start("held", ["bash", "-c", `exec 3<>/dev/tcp/${VIP}/80; sleep 60`]);
    const isOpen = () => flows().some(({ state }) => state === "established");
    await waitFor("the flow", isOpen);
    const { version } = policies()[0]!;
    writeFileSync(
      join(configuration.folder, "open.ts"),
      hook("return Continue;").replace('version: "1"', `version: "${version}+"`),
    );
    await waitFor("the new version", () => policies()[0]!.version === `${version}+`);
    expect(isOpen()).toBe(revalidate === "never");
    await connection.stop();
    configuration.remove("open.yaml");
    await waitFor("no policies", () => policies().length === 0);
  }
});

test("one that throws is counted, then switched off, and other Services never notice", async () => {
  writeFileSync(join(configuration.folder, "throws.ts"), hook('throw new Error("oops");'));
  deploy("throws", "./throws.ts");
  await waitFor("the policy", () => policies().length === 1);
  const codes = await curlMany(network.client, `http://${VIP}/`, 150);
  expect(codes.filter((code) => code !== 200)).toEqual([]);
  expect(policies()[0]).toMatchObject({ lastError: "Error: oops", stats: { off: 1, errors: 100 } });
  deploy("throws", "./throws.ts", "  onError: deny\n");
  await waitFor("denial", () => ask() === "");
  configuration.remove("throws.yaml");
  await waitFor("no policies", () => policies().length === 0);
});

test("one that never returns is switched off, its worker replaced, and traffic goes on", async () => {
  writeFileSync(join(configuration.folder, "loops.ts"), hook("for (;;);"));
  deploy("loops", "./loops.ts");
  await waitFor("the policy", () => policies().length === 1);
  ask();
  await waitFor("the watchdog", () => policies()[0]!.stats.off === 1, { timeoutSeconds: 10 });
  expect(policies()[0]!.lastError).toMatch(/has not returned/);
  await waitFor("traffic", () => ask() !== "", { timeoutSeconds: 10 });
  configuration.remove("loops.yaml");
});

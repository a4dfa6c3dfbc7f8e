/**
 * All nodes on one status page, and by `sluice fleet`: three gateways that share a link, and four nodes of the same manifests
 * where none runs. One is killed while the page is looked at.
 */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../src/api/client.ts";
import type { FleetStatus } from "../../src/fleet/fleet.ts";
import { openBrowser } from "../lab/browser.ts";
import { curl } from "../lab/curl.ts";
import { SLUICE } from "../lab/gateway.ts";
import { agreed, type L2Node, type L2Segment, l2Segment, startGateway, stopGateway, WEB } from "../lab/l2-segment.ts";
import { Lab } from "../lab/lab.ts";

const PICTURES = join(import.meta.dirname, "..", "..", "docs", "pictures");
const RENEWS = process.env["SLUICE_SCREENSHOTS"] === "1";

const BARE = `
apiVersion: v1
kind: Service
metadata: {name: bare, namespace: shop}
spec:
  type: LoadBalancer
  ipFamilies: [IPv4]
  ports: [{protocol: TCP, port: 443, targetPort: 8443}]
`;
const BARE_POD = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bare, namespace: shop, labels: {kubernetes.io/service-name: bare}}
addressType: IPv4
endpoints: [{addresses: [10.1.1.9], nodeName: n1, conditions: {ready: true}}]
ports: [{port: 8443, protocol: TCP}]
`;

const lab = new Lab("slg");
let segment: L2Segment;
let nodes: readonly L2Node[];
let browser: Browser;
let page: Page;

beforeAll(async () => {
  segment = await l2Segment(lab);
  nodes = segment.nodes.slice(0, 3);
  for (const { namespace } of nodes) namespace.ip("link set lo up");
  await Promise.all(nodes.map((node) => startGateway(segment, node, ["--http", "--fleet"])));
  await agreed(segment, 30);
  browser = await openBrowser(lab, nodes[0]!.namespace);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await page.goto("http://127.0.0.1:9472/");
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await lab.close();
});

const panel = (name: string) => page.getByRole("region", { name, exact: true }).first();
const row = (of: string, name: string) => panel(of).locator("tbody tr", { hasText: name });

test("every node that runs is there with its state, and those without a gateway with the reason", async () => {
  await expect.poll(() => panel("Nodes").textContent(), { timeout: 15_000 }).toContain("3 of 7 answer");
  for (const { name } of nodes) expect(await row("Nodes", name).textContent()).toContain("serving");
  expect(await row("Nodes", "n4").textContent()).toMatch(/no answer.*nothing listens at 10\.0\.5\.14 port 9475/);
  await row("Nodes", "n2").getByRole("button").click();
  await expect.poll(() => panel("Nodes").locator(".answer").textContent()).toContain("net0 (uplink, generic)");
});

test("traffic of a Service is that of all nodes, whoever owns its address", async () => {
  for (let round = 0; round < 30; round++) expect(curl(segment.client, `http://${WEB[4]}/`).error).toBe("");
  // Its first row: the page is asked at n1, and the owner is whoever it is.
  const opened = panel("Services").locator("tbody tr").first().locator("td").nth(6);
  await expect.poll(async () => Number(await opened.textContent()), { timeout: 10_000 }).toBeGreaterThanOrEqual(30);
});

test("a Service without backends stands above the nodes by its name, as long as it has none", async () => {
  segment.configuration.write("bare.yaml", BARE);
  await expect
    .poll(() => panel("Nodes").textContent(), { timeout: 15_000 })
    .toMatch(/1 Service without backendsshop\/bare 10\.0\.5\.\d+:443\/TCP/);
  segment.configuration.write("bare-pod.yaml", BARE_POD);
  await expect.poll(() => panel("Nodes").textContent(), { timeout: 15_000 }).not.toContain("without backends");
  for (const file of ["bare.yaml", "bare-pod.yaml"]) segment.configuration.remove(file);
});

test("a node that is killed is shown so, and each Service whose address it had with its failover", async () => {
  expect([...(await agreed(segment)).values()]).toContain("n2");
  const dying = nodes[1]!;
  await stopGateway(dying, "SIGKILL");
  await expect
    .poll(() => row("Nodes", dying.name).textContent(), { timeout: 15_000 })
    .toMatch(/no answer.*nothing listens/);
  // Of a Service that lost both its addresses the last is shown.
  const moved = /(10\.0\.5\.1|fd05::1)\d\d failed over from n2 to n[13] in [\d.]+ s/;
  await expect.poll(() => panel("Services").textContent(), { timeout: 15_000 }).toMatch(moved);
  if (RENEWS) await page.setViewportSize({ width: 1280, height: 900 });
  await page.screenshot({ path: join(RENEWS ? PICTURES : lab.folder, "status-page-fleet.png") });
});

test("`sluice fleet` says the same, within 100 columns", async () => {
  const { socket } = nodes[0]!.gateway!;
  const table = nodes[0]!.namespace.run([SLUICE, "fleet", "--socket", socket]);
  expect(table).toMatch(/^n1 +serving/m);
  expect(table).toMatch(/^n2 +NO ANSWER$/m);
  expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

test("a node of another secret is told from one that is away, and learns nothing", async () => {
  const { name, namespace } = nodes[1]!;
  const other = { ...segment, secret: join(lab.folder, "other.secret") };
  namespace.run(["sh", "-c", `echo the secret of somebody else > ${other.secret}`]);
  await startGateway(other, nodes[1]!, ["--fleet"]);
  const troubleOf = async (asker: L2Node, of: string) => {
    const { members } = await ask<FleetStatus>(asker.gateway!.socket, "/v1/fleet");
    return members.find(({ node }) => node === of)!.trouble;
  };
  const refusal = "it refuses: its cluster secret is another one";
  await expect.poll(() => troubleOf(nodes[0]!, name), { timeout: 10_000 }).toBe(refusal);
  await expect.poll(() => troubleOf(nodes[1]!, nodes[0]!.name), { timeout: 10_000 }).toBe(refusal);
});

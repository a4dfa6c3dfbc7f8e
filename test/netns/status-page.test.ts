/**
 * The status page in a real browser beside a running gateway: what it shows, that it stays true while things change, and
 * that it can be used by keyboard, on a phone and in the dark. `SLUICE_SCREENSHOTS=1` renews the pictures in docs/.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser } from "../lab/browser.ts";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const ADDRESS = "127.0.0.1:9472";
const PICTURES = join(import.meta.dirname, "..", "..", "docs", "pictures");
const RENEWS = process.env["SLUICE_SCREENSHOTS"] === "1";
const SECOND_SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: waiting, namespace: shop}
spec:
  type: LoadBalancer
  loadBalancerIP: 198.51.100.77
  ports: [{protocol: TCP, port: 443, targetPort: 8443}]
`;

let lab: Lab;
let network: SeedA;
let gateway: Gateway;
let browser: Browser;
let page: Page;
let configuration: Configuration;
let traffic: ReturnType<typeof spawn>;
const troubles: string[] = [];

beforeAll(async () => {
  lab = new Lab("slw");
  network = await seedA(lab);
  network.node.ip("link set lo up");
  configuration = new Configuration(lab, "seed-a");
  const place = { configuration: configuration.folder, node: "node1", uplink: "net0", arguments: ["--http"] };
  gateway = await Gateway.start(lab, network.node, place);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  const loop = `while :; do curl -s --max-time 1 http://${VIP}/ >/dev/null; sleep 0.05; done`;
  const [program, ...words] = network.client.entered(["sh", "-c", loop]);
  traffic = spawn(program!, words, { stdio: "ignore" });
  browser = await openBrowser(lab, network.node);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  await page.goto(`http://${ADDRESS}/`);
  await page.getByRole("heading", { name: "Services" }).waitFor();
});

afterAll(async () => {
  traffic?.kill();
  await browser?.close();
  await lab?.close();
});

async function picture(name: string, options: { fullPage?: boolean } = {}): Promise<void> {
  const folder = RENEWS ? PICTURES : lab.folder;
  await page.screenshot({ path: join(folder, `${name}.png`), ...options });
}

/** The page scrolls smoothly. */
const scrolled = () => page.waitForTimeout(800);

const panel = (name: string) => page.getByRole("region", { name, exact: true }).first();

test("it shows Services with traffic, the BGP session, ports and what has happened, and asks nobody else for anything", async () => {
  await expect.poll(() => panel("Services").textContent(), { timeout: 10_000 }).toContain("default/my-service");
  expect(await panel("Services").textContent()).toContain(VIP);
  await expect.poll(() => panel("BGP sessions").textContent()).toMatch(/Established for/);
  expect(await panel("Datapath").textContent()).toContain("net0");
  expect(await panel("Address pools").textContent()).toMatch(/\d+ of \d+/);
  await expect.poll(() => panel("Timeline").textContent()).toContain("configuration in force");
  await expect
    .poll(() => page.locator(".tile", { hasText: "New flows" }).textContent(), { timeout: 10_000 })
    .toMatch(/[1-9][\d.]*\/s/);
  const foreign = await page.evaluate<string[]>(
    `performance.getEntriesByType("resource").map(({ name }) => name)
      .filter((name) => !name.startsWith(location.origin) && !name.startsWith("data:"))`,
  );
  expect(foreign).toEqual([]);
  if (RENEWS) await page.waitForTimeout(45_000);
  await picture("status-page-light");
});

test("what is not forwarded is shown with its reason and the port that it came in by, and whether SYN cookies are asked for", async () => {
  expect(curl(network.client, `http://${VIP}:81/`).error).not.toBe("");
  await expect.poll(() => panel("Datapath").textContent(), { timeout: 10_000 }).toMatch(/NoSuchVip.*net0 \d/);
  expect(await panel("Datapath").textContent()).toContain("SYN cookies are not asked for");
  await page.evaluate("document.getElementById('datapath').scrollIntoView()");
  await scrolled();
  await picture("status-page-datapath");
});

test("what changes is shown without a reload, with its trouble", async () => {
  configuration.write("waiting.yaml", SECOND_SERVICE);
  const services = panel("Services");
  await expect.poll(() => services.textContent(), { timeout: 10_000 }).toContain("shop/waiting");
  await expect
    .poll(() => page.locator(".tile.bad", { hasText: "Services" }).textContent())
    .toContain("1 without an address");
  await services.getByRole("button", { name: "shop/waiting" }).click();
  await expect.poll(() => panel("Explain").locator(".answer").textContent()).toContain("no address");
  await scrolled();
  await picture("status-page-explain");
  configuration.remove("waiting.yaml");
  await expect.poll(() => services.textContent(), { timeout: 10_000 }).not.toContain("shop/waiting");
});

test("by the keyboard alone a packet can be explained", async () => {
  const explain = panel("Explain");
  await explain.getByLabel("From address").focus();
  for (const word of [CLIENT_ADDRESS, "40000", VIP, "80"]) {
    await page.keyboard.type(word);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect.poll(() => explain.locator("form").nth(1).textContent()).toMatch(/forwarded for default\/my-service/);
});

test("what a manifest would change is told, and nothing is changed by asking", async () => {
  const plan = panel("Plan");
  await plan.getByLabel("Manifests").fill(SECOND_SERVICE);
  await plan.getByRole("button").click();
  const answer = plan.locator(".answer");
  await expect.poll(() => answer.textContent(), { timeout: 20_000 }).toContain("Service/shop/waiting: new");
  expect(await answer.textContent()).toContain("198.51.100.77");
  expect(await answer.textContent()).toContain("Nothing that is live would move");
  const live =
    "apiVersion: v1\nkind: Service\nmetadata: {name: my-service, namespace: default}\nspec: {ports: [{port: 80}]}";
  await plan.getByLabel("Manifests").fill(live);
  await plan.getByLabel("If they were").selectOption("delete");
  await plan.getByRole("button").click();
  await expect.poll(() => answer.textContent(), { timeout: 20_000 }).toContain("Something that is live would move");
  expect(await answer.textContent()).toContain(`route ${VIP}/32 from node1`);
  await plan.scrollIntoViewIfNeeded();
  await scrolled();
  await picture("status-page-plan");
  expect(gateway.status().services.map(({ service }) => service)).toEqual(["default/my-service"]);
  expect(isVipRouted(network)).toBe(true);
});

test("live frames are shown while somebody looks, and a filter that makes no sense is refused in words", async () => {
  const trace = panel("Live frames");
  await trace.getByLabel("Service").fill("default/my-service");
  await trace.getByLabel("Of the kernel's").selectOption("1");
  await trace.getByRole("button", { name: "Look" }).click();
  await expect.poll(() => trace.locator("tbody tr").count(), { timeout: 10_000 }).toBeGreaterThan(10);
  const shown = await trace.textContent();
  expect(shown).toContain(`${CLIENT_ADDRESS}:`);
  expect(shown).toContain("in the kernel");
  await trace.scrollIntoViewIfNeeded();
  await page.emulateMedia({ colorScheme: "dark" });
  await scrolled();
  await picture("status-page-frames-dark");
  await trace.getByRole("button", { name: "Stop" }).click();
  await trace.getByLabel("Client").fill("nobody");
  await trace.getByRole("button", { name: "Look" }).click();
  await expect
    .poll(() => trace.getByRole("alert").textContent())
    .toContain("client nobody: an address or a prefix expected");
  await page.emulateMedia({ colorScheme: "light" });
});

test("on a phone nothing but tables scrolls sideways", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate("scrollTo({ top: 0, behavior: 'instant' })");
  const widths = await page.evaluate<[number, number]>("[document.documentElement.scrollWidth, innerWidth]");
  expect(widths[0]).toBeLessThanOrEqual(widths[1]);
  await picture("status-page-phone");
  await page.setViewportSize({ width: 1280, height: 900 });
});

test("everything that can be operated has a name, headings are in order, and nothing was complained about", async () => {
  const nameless = await page.evaluate<string[]>(
    `[...document.querySelectorAll("button, input, select, textarea, a")]
      .filter((one) => !(one.innerText || one.getAttribute("aria-label") || one.closest("label")?.innerText))
      .map((one) => one.outerHTML)`,
  );
  expect(nameless).toEqual([]);
  const levels = await page.evaluate<number[]>(
    `[...document.querySelectorAll("h1, h2, h3")].map((one) => Number(one.tagName[1]))`,
  );
  for (const [at, level] of levels.entries()) if (at > 0) expect(level - levels[at - 1]!).toBeLessThanOrEqual(1);
  // The refused filter above is an answer of 400, which the browser logs.
  expect(troubles.filter((one) => !one.includes("400"))).toEqual([]);
});

test("nothing can be changed by it, and under another name it is not answered", async () => {
  const curl = (...words: string[]) =>
    network.node.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", ...words, `http://${ADDRESS}/v1/drain`]);
  expect(curl("-X", "POST")).toBe("405");
  expect(curl("-H", "Host: evil.example")).toBe("403");
  expect(curl()).toBe("200");
  expect(gateway.status().drain).toBe("serving");
});

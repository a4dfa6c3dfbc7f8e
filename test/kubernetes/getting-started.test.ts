/**
 * docs/getting-started.md as somebody follows it who has read nothing else: every command of the page, in its order, against a
 * real API server with a router, a client and a node, and what it is said to print. What a kubelet does with the DaemonSet is
 * done here; `kubectl exec ds/sluice` is the program in the node's namespace.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBrowser } from "../lab/browser.ts";
import { Cluster } from "../lab/cluster.ts";
import { SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { NODE_ADDRESS, type Outside, outside, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";
import { type Container, daemonSetSocket, startDaemonSetProcess } from "./fixtures/daemonset-process.ts";
import { type GuideStep, guideSteps } from "./fixtures/guide.ts";

const ROOT = join(import.meta.dirname, "../..");
const NODE = "node1";
const EXEC = "-n sluice-system exec ds/sluice -- ";
const STEPS = guideSteps("getting-started.md");
const PATIENCE = { timeoutSeconds: 60, everyMilliseconds: 500 };

let lab: Lab;
let network: Outside;
let cluster: Cluster;
let sluice: LabProcess;

beforeAll(async () => {
  lab = new Lab("slg");
  network = await outside(lab, {});
  const machine = { name: NODE, address: NODE_ADDRESS, podCidr: "10.2.3.0/24", namespace: network.node };
  cluster = await Cluster.start(lab, [machine], { family: "ipv4", arguments: [] });
  // The page makes it.
  cluster.server.kubectl("delete", "namespace", "sluice-system");
  makeCommands();
});

afterAll(async () => {
  await cluster?.close();
  lab?.close();
});

test("the page has a command for each thing that it promises", () => {
  const headings = [...new Set(STEPS.map(({ heading }) => heading))];
  expect(headings).toEqual([
    "See it, on one machine",
    "Put it on a cluster",
    "The wrong AS",
    "A pool that is used up",
    "No endpoint",
    "A port that somebody has",
    "Take it away",
  ]);
});

describe.each(groups())("$heading", ({ steps }) => {
  test("prints what the page says", { timeout: 300_000, retry: 0 }, async () => {
    for (const step of steps) await follow(step);
  });
});

async function follow({ command, prints }: GuideStep): Promise<void> {
  if (command.includes("rollout status")) await startAsKubelet();
  if (command.includes("rollout restart")) await restartWithTakenPort();
  let seen = "";
  const said = async () => {
    const { status, stdout, stderr } = spawnSync("bash", ["-c", command], {
      cwd: ROOT,
      encoding: "utf8",
      timeout: 240_000,
      env: { ...process.env, UPLINK: "net0", REGISTRY: "registry.example", PATH: pathFor(command) },
    });
    seen = stdout + stderr;
    if (prints === null && status !== 0) throw new Error(`${command} ended with ${status}: ${seen}`);
    // Lines are wrapped at a terminal's width.
    return prints === null || seen.replaceAll(/\s+/g, " ").includes(prints);
  };
  // Changing twice is not what a reader does; looking again is.
  if (prints === null) await said();
  else await waitFor(`"${prints}" from ${command}`, said, { ...PATIENCE, seen: () => seen.slice(-3000) });
  const look = ON_STATUS_PAGE[prints ?? ""];
  if (look !== undefined) await onStatusPage(look);
}

/** What a fault is on the status page, by the last words that the commands say of it. */
const ON_STATUS_PAGE: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  "AS 65009 is configured": async (page) => {
    const session = page.getByRole("row").filter({ hasText: "65009" });
    await told(session.locator(".remedy"), "65009");
    await explainService(page, "default/hello");
    await told(page.locator("#explain .remedy"), "so it has not heard of it", "65009");
  },
  "<pending>": async (page) => {
    await told(page.locator("#pools").getByRole("row", { name: "first" }), "used up");
    await explainService(page, "default/second");
    await told(page.locator("#explain .answer"), "no address", "Pool first: it has no address left");
  },
  NoBackend: async (page) => {
    await told(page.locator("#services").getByRole("row", { name: "default/hello" }).locator(".mark.bad"), "none");
    await explainService(page, "default/hello");
    await told(page.locator("#explain .answer"), "Endpoints: 0 ready");
    const packet = page.locator("#explain form").last();
    const fields = { "From address": "203.0.113.10", "From port": "40000", "To address": VIP, "To port": "80" };
    for (const [label, value] of Object.entries(fields)) await packet.getByLabel(label).fill(value);
    await packet.getByRole("button").click();
    await told(packet, "NoBackend");
  },
};

async function onStatusPage(look: (page: Page) => Promise<void>): Promise<void> {
  const browser = await openBrowser(lab, network.node);
  try {
    const page = await browser.newPage();
    await page.goto("http://127.0.0.1:9472/");
    await look(page);
  } finally {
    await browser.close();
  }
}

/** By the button that is beside each Service: its name. */
async function explainService(page: Page, service: string): Promise<void> {
  await page.locator("#services").getByRole("button", { name: service }).click();
}

async function told(where: Locator, ...words: readonly string[]): Promise<void> {
  for (const word of words) await where.filter({ hasText: word }).first().waitFor({ timeout: 30_000 });
}

/** The DaemonSet as the API server has it now, run on the node; resolves when its probe finds it ready. */
async function startAsKubelet(): Promise<void> {
  start();
  const ready = () => network.node.run(["curl", "-s", "http://127.0.0.1:9472/readyz"]) === "ok\n";
  await waitFor("the gateway to be ready", ready, { ...PATIENCE, seen: () => sluice.log().slice(-2000) });
}

function start(): void {
  const { server } = cluster;
  const read = (...what: string[]) => JSON.parse(server.kubectl("-n", "sluice-system", "get", ...what, "-o", "json"));
  const containers: Container[] = read("daemonset", "sluice").spec.template.spec.containers;
  sluice = startDaemonSetProcess(containers.find(({ name }) => name === "gateway")!, {
    ...{ lab, node: network.node, nodeName: NODE },
    kubeconfig: server.accountKubeconfig("sluice"),
    settings: read("configmap", "sluice").data,
  });
}

async function restartWithTakenPort(): Promise<void> {
  await sluice.stop();
  const listen = 'require("node:net").createServer().listen(9472, "127.0.0.1", () => console.log("ready"))';
  const other = network.node.start("other", [process.execPath, "-e", listen]);
  await waitFor("the port to be taken", () => other.log().includes("ready"));
  start();
  await waitFor("the gateway to give up", () => sluice.exit() !== null, { timeoutSeconds: 30 });
}

/** What runs on the reader's own machine finds the machine's own commands. */
function pathFor(command: string): string {
  const own = process.env["PATH"] ?? "";
  return command.startsWith("npm ") ? own : `${commandsFolder()}:${own}`;
}

function commandsFolder(): string {
  return join(lab.folder, "bin");
}

/** kubectl, sluice and curl as the reader of the page has them. */
function makeCommands(): void {
  mkdirSync(commandsFolder());
  const inside = (machine: Outside["node"]) => machine.entered([]).join(" ");
  const onNode = inside(network.node);
  const command = (name: string, script: string) => {
    const path = join(commandsFolder(), name);
    writeFileSync(path, `#!/bin/bash\n${script}\n`);
    chmodSync(path, 0o755);
  };
  const socket = daemonSetSocket(lab);
  command(
    "sluice",
    `case "$1" in cleanup) exec ${onNode} ${SLUICE} "$@";; *) exec ${onNode} ${SLUICE} "$@" --socket ${socket};; esac`,
  );
  command(
    "curl",
    `case "$*" in *127.0.0.1*) exec ${onNode} /usr/bin/curl "$@";; *) exec ${inside(network.client)} /usr/bin/curl "$@";; esac`,
  );
  command(
    "kubectl",
    `case "$*" in
      "${EXEC}"*) shift 5; exec "$@";;
      *"rollout status"*) echo 'daemon set "sluice" successfully rolled out';;
      *"logs ds/sluice"*) cat ${lab.folder}/${network.node.name}-sluice-*.log;;
      *) exec ${cluster.server.kubectlCommand().join(" ")} "$@";;
    esac`,
  );
}

function groups(): { heading: string; steps: GuideStep[] }[] {
  const byHeading = new Map<string, GuideStep[]>();
  for (const step of STEPS) byHeading.set(step.heading, [...(byHeading.get(step.heading) ?? []), step]);
  return [...byHeading].map(([heading, steps]) => ({ heading, steps }));
}

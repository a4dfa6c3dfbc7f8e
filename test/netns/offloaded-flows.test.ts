/** Flows that the kernel forwards obey the configuration all the same, within a second; and outlive a stop where told to. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { deterministicBody, sha256 } from "../lab/deterministic-body.ts";
import { Gateway, type GatewayOptions, SLUICE } from "../lab/gateway.ts";
import { twoArmsConfiguration } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { isVipRouted, NODE_ADDRESS, VIP } from "../lab/seed-a.ts";
import { BACKENDS, type TwoArms, twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const BYTES_PER_SECOND = 2_000_000;

let lab: Lab | null = null;
afterEach(() => lab?.close());

interface Scene {
  readonly network: TwoArms;
  readonly options: GatewayOptions;
  readonly configuration: Configuration;
  readonly gateway: Gateway;
  readonly download: LabProcess;
  readonly file: string;
  /** What of the download has arrived. */
  readonly bytes: () => number;
}

/** A download that the kernel forwards. */
async function downloading(...words: readonly string[]): Promise<Scene> {
  lab = new Lab("sle");
  const network = await twoArms(lab);
  const configuration = twoArmsConfiguration(lab);
  const place = { node: "node1", uplink: "net0", inside: "lan0", arguments: words };
  const options = { configuration: configuration.folder, ...place };
  const gateway = await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  network.router.ip(`route add ${VIP}/32 via ${NODE_ADDRESS} metric 5000`);
  network.client.sysctl("net.ipv4.tcp_rmem", "4096 65536 65536");
  const file = join(lab.folder, "download");
  const limit = ["--limit-rate", `${BYTES_PER_SECOND}`, "--max-time", "60"];
  const download = network.client.start("curl", ["curl", "-sS", "-o", file, ...limit, `http://${VIP}/200mb`]);
  const bytes = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  await waitFor("the download to be under way", () => bytes() > BYTES_PER_SECOND / 2);
  expect(flowsOf(gateway)).toContainEqual(expect.objectContaining({ state: "established", forwardedBy: "kernel" }));
  return { network, options, configuration, gateway, download, file, bytes };
}

function flowsOf(gateway: Gateway): Record<string, unknown>[] {
  return JSON.parse(gateway.ask("flows", "-o", "json"));
}

/** The backend that the download comes from. */
function backendOf(gateway: Gateway): string {
  return String(flowsOf(gateway).find(({ state }) => state === "established")!["backend"]).split(":")[0]!;
}

test("a Service that goes takes its offloaded flows with it within a second", async () => {
  const { configuration, gateway, bytes, download } = await downloading();
  configuration.remove("service.yaml");
  await waitFor("the epoch without it", () => gateway.status().services.length === 0, { timeoutSeconds: 10 });
  await sleep(1000);
  const after = bytes();
  expect(flowsOf(gateway)).toEqual([]);
  await sleep(1500);
  expect(bytes()).toBe(after);
  await download.stop();
  await gateway.stop();
});

test("a backend that goes takes its own with it, and one that drains keeps them and gets no others", async () => {
  const { network, configuration, gateway, bytes, download } = await downloading("--datapath", "kernel");
  const [own, other] = backendOf(gateway) === BACKENDS[0] ? BACKENDS : [BACKENDS[1], BACKENDS[0]];
  const entry = new RegExp(`(addresses: \\["${own}"\\]\\s+nodeName: node1\\s+conditions: )\\{[^}]*\\}`);
  const epoch = gateway.status().datapath.epoch;
  configuration.edit(entry, "$1{ready: false, serving: true, terminating: true}");
  await waitFor("the epoch that drains it", () => gateway.status().datapath.epoch > epoch);
  expect(gateway.status().services[0]).toMatchObject({ backends: [`${other}:80`], draining: [`${own}:80`] });
  const drained = bytes();
  const answers = new Set(Array.from({ length: 8 }, () => curl(network.client, `http://${VIP}/`).body));
  expect([...answers]).toEqual([`backend${BACKENDS.indexOf(other!) + 1}`]);
  await waitFor("the download to go on", () => bytes() > drained + BYTES_PER_SECOND / 2);

  configuration.edit(new RegExp(`- addresses: \\["${own}"\\]\\s+nodeName: node1\\s+conditions: \\{[^}]*\\}`), "");
  await waitFor("the epoch without it", () => gateway.status().datapath.epoch > epoch + 1);
  await sleep(1000);
  expect(flowsOf(gateway).filter(({ backend }) => backend === `${own}:80`)).toEqual([]);
  await download.stop();
  await gateway.stop();
});

test("with `--keep-flows` an ordinary stop costs a flow nothing, and the next start takes it over", async () => {
  const { network, options, gateway, bytes, download, file } = await downloading("--keep-flows");
  expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  const stopped = bytes();
  await waitFor("progress without a process", () => bytes() > stopped + BYTES_PER_SECOND);
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  const next = await Gateway.start(lab!, network.node, options);
  expect(next.process.log()).not.toContain("can't be taken over");
  const started = bytes();
  await waitFor("progress with the next process", () => bytes() > started + BYTES_PER_SECOND / 2);
  await download.stop();
  const arrived = readFileSync(file);
  expect(sha256(arrived)).toBe(sha256(deterministicBody(arrived.length)));
  await next.stop();
  expect(network.node.run([SLUICE, "cleanup"])).toMatch(/^removed /);
});

/** How the gateway comes and goes: what it leaves behind when it ends well, and when it is killed. */
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { SETTINGS_LAYOUT, SETTINGS_LAYOUT_NOW } from "../../src/xdp/door-maps.ts";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway, type GatewayOptions, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

/** By their numbers in capability.h. */
const mask = (...capabilities: number[]) => capabilities.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
const NET_RAW = 13;
const IPC_LOCK = 14;
const BPF = 39;
const FORWARDING = mask(NET_RAW, IPC_LOCK, BPF);
const NET_BIND_SERVICE = 10;
const NET_ADMIN = 12;
const SPEAKING = mask(NET_RAW, NET_BIND_SERVICE, NET_ADMIN);
const RUNNING = FORWARDING | SPEAKING;

let lab: Lab;
let network: SeedA;
let options: GatewayOptions;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await seedA(lab);
  options = { configuration: new Configuration(lab, "seed-a").folder, node: "node1", uplink: "net0" };
});

afterAll(() => lab?.close());

async function startAndServe(): Promise<Gateway> {
  await waitFor("the last gateway's route to go", () => !isVipRouted(network));
  const gateway = await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  return gateway;
}

/** Interfaces of the node with their details: an attached XDP program shows as `prog/xdp id N`. */
function links(): string {
  return network.node.run(["ip", "-d", "link", "show"]);
}

function trafficControl(): string {
  return ["show dev net0", "show dev net0 clsact"]
    .map((words) => network.node.try(["tc", "filter", ...words.split(" ")]).stdout)
    .concat(network.node.run(["tc", "qdisc", "show", "dev", "net0"]))
    .join("");
}

test("while it serves, its program is on the uplink", async () => {
  const gateway = await startAndServe();
  expect(links()).toMatch(/prog\/xdp id \d+/);
  await gateway.stop();
});

test("no thread of it has more capabilities than it needs, whoever started it, and it can get no others", async () => {
  const gateway = await startAndServe();
  const threads = readdirSync(`/proc/${gateway.process.pid}/task`).map((thread) =>
    readFileSync(`/proc/${gateway.process.pid}/task/${thread}/status`, "utf8"),
  );
  const field = (text: string, name: string) => new RegExp(`^${name}:\\s+(\\w+)$`, "m").exec(text)![1]!;
  const held = (name: string) => threads.map((text) => BigInt(`0x${field(text, name)}`));
  const workers = threads.filter((text) => BigInt(`0x${field(text, "CapEff")}`) === FORWARDING);
  expect(workers).toHaveLength(1);
  expect(held("CapEff")).toContain(SPEAKING);
  for (const name of ["CapEff", "CapPrm"])
    expect(held(name).filter((mask) => ![FORWARDING, SPEAKING, RUNNING].includes(mask))).toEqual([]);
  expect(held("CapInh").filter((mask) => mask !== 0n)).toEqual([]);
  expect(threads.map((text) => field(text, "NoNewPrivs")).filter((set) => set !== "1")).toEqual([]);
  expect(threads.length).toBeGreaterThan(10);
  await gateway.stop();
});

test("after SIGTERM nothing of it is left: no program, no interface, no traffic control, no session", async () => {
  const gateway = await startAndServe();
  expect(await gateway.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(links()).not.toMatch(/prog\/xdp|\bsl[01]\b/);
  expect(trafficControl()).not.toMatch(/bpf|clsact/);
  await waitFor("the route to go", () => !isVipRouted(network));
  expect(network.frr.lastNotification(NODE_ADDRESS)).toMatch(/^Cease\//);
});

test("after SIGKILL its programs stay, the next start takes them over, and its end leaves nothing", async () => {
  const gateway = await startAndServe();
  await gateway.stop("SIGKILL");
  expect(links()).toMatch(/prog\/xdp id \d+/);
  const next = await startAndServe();
  expect(next.process.log()).not.toContain("can't be taken over");
  await next.stop();
  expect(links()).not.toMatch(/prog\/xdp|\bsl[01]\b/);
  expect(trafficControl()).not.toMatch(/bpf|clsact/);
});

test.each([
  {
    what: "of another layout",
    reason: "its tables have another layout",
    spoil(pins: string) {
      const settings = BpfMap.fromPin(join(pins, "settings"))!;
      settings.mmap()[SETTINGS_LAYOUT] = SETTINGS_LAYOUT_NOW + 1;
      settings.close();
    },
  },
  {
    what: "that do not fit, whatever their layout says",
    reason: "its maps are not those of this build",
    spoil: (pins: string) => renameSync(join(pins, "ndp6"), join(pins, "arp4")),
  },
])("tables $what are taken away in one sentence, and the next gateway serves", async ({ reason, spoil }) => {
  const gateway = await startAndServe();
  await gateway.stop("SIGKILL");
  const namespace = network.node.run(["readlink", "/proc/self/ns/net"]).replaceAll(/\D/g, "");
  spoil(`/sys/fs/bpf/sluice-node1-net0-ns${namespace}`);
  const next = await startAndServe();
  expect(next.process.log()).toContain(`can't be taken over, so its flows end: ${reason}`);
  await next.stop();
  expect(links()).not.toMatch(/prog\/xdp|\bsl[01]\b/);
});

test("after SIGKILL `sluice cleanup` takes away what it left, and nothing of one that lives", async () => {
  const gateway = await startAndServe();
  expect(network.node.run([SLUICE, "cleanup"])).toMatch(/^left \S+: its gateway is running\n$/);
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  await gateway.stop("SIGKILL");
  expect(network.node.run([SLUICE, "cleanup"])).toMatch(/^removed \/sys\/fs\/bpf\/sluice-node1-net0-ns\d+\nremoved/);
  expect(links()).not.toMatch(/prog\/xdp|\bsl[01]\b/);
});

test("a second gateway for the same pods says so in one sentence, and the first goes on", async () => {
  const gateway = await startAndServe();
  const second = network.node.try(Gateway.command(options, `${lab.folder}/second.sock`));
  expect(second.status).toBe(1);
  expect(second.stderr).toContain("another Sluice is running here");
  expect(second.stderr).not.toMatch(/^\s+at /m);
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  await gateway.stop();
});

test("manifests that are not there yet are named until they are, and then served", async () => {
  await waitFor("the last gateway's route to go", () => !isVipRouted(network));
  const late = `${lab.folder}/late`;
  const gateway = await Gateway.start(lab, network.node, { ...options, configuration: late });
  expect(JSON.stringify(gateway.status().config.problems)).toContain(late);
  renameSync(options.configuration, late);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  expect(gateway.status().config.problems).toEqual([]);
  await gateway.stop();
});

/** How the gateway comes and goes: what it leaves behind when it ends well, and when it is killed. */
import { renameSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway, type GatewayOptions, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

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

/**
 * A flood of SYNs from random sources at a gateway that asks for proof: real clients connect before, during and after it, a
 * download goes on, and of the flood nothing is kept.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, VIP } from "../lab/seed-a.ts";
import { synFlood } from "../lab/syn-flood.ts";
import { BACKENDS, twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const FLOOD_FRAMES_PER_SECOND = 10_000;
const CONNECTIONS = 10;
const MEGABYTES = 20;

let lab: Lab | null = null;
afterEach(() => lab?.close());

test("real clients come in through a flood that leaves nothing behind", { timeout: 120_000 }, async () => {
  lab = new Lab("sle");
  const network = await twoArms(lab);
  const configuration = new Configuration(lab, "seed-a");
  configuration.edit("10.2.3.5", BACKENDS[0]);
  configuration.edit("10.2.3.6", BACKENDS[1]);
  const gateway = await Gateway.start(lab, network.node, {
    ...{ configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" },
    arguments: ["--syn-cookies"],
  });
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  const { client, router } = network;
  const xdp = () => gateway.status().datapath.xdp;
  const live = () => gateway.status().datapath.flows.live;
  const errors = () =>
    Array.from({ length: CONNECTIONS }, () => curl(client, `http://${VIP}/`, { timeoutSeconds: 4 }).error).filter(
      (error) => error !== "",
    );

  expect(errors()).toEqual([]);
  // One question, and the one answer to it, for all of the client's connections.
  expect(xdp()).toMatchObject({ challenge: 1, proven: 1 });

  const file = join(lab.folder, "download");
  const patience = ["--limit-rate", "2000000", "--max-time", "60", "--speed-limit", "1", "--speed-time", "2"];
  const download = client.start("curl", ["curl", "-sS", "-o", file, ...patience, `http://${VIP}/${MEGABYTES}mb`]);
  await waitFor("the download to be under way", () => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 1e6);
  const before = live();
  const routerMac = JSON.parse(router.run(["ip", "-j", "link", "show", "dev", "to-client"]))[0].address;
  const flood = client.start("flood", synFlood("eth0", routerMac, VIP, 80, FLOOD_FRAMES_PER_SECOND));
  await waitFor("the flood to be answered", () => xdp().challenge > 20_000, { timeoutSeconds: 30 });
  expect(live()).toBeLessThan(before + 100);
  expect(errors()).toEqual([]);

  // One that has not been here before, in the midst of it.
  client.ip("address add 203.0.113.77/24 dev eth0");
  const stranger = ["curl", "-sS", "--fail", "--interface", "203.0.113.77", "--max-time", "4", `http://${VIP}/`];
  expect(client.try(stranger).stderr).toBe("");
  expect(xdp().proven).toBe(2);
  await flood.stop();
  await waitFor("the download to end", () => download.exit() !== null, { timeoutSeconds: 60 });
  expect(download.exit()).toMatchObject({ code: 0 });
  expect(statSync(file).size).toBe(MEGABYTES * 1_000_000);
  await gateway.stop();
});

/**
 * A flood of SYNs from random sources during a download, and the process killed in the middle of both: the download goes
 * on without a stall and arrives whole, new connections are opened with and without a process. SLUICE_LONG=1 downloads
 * 1 GB, under a flood as fast as its generator can.
 */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { curl } from "../lab/curl.ts";
import { deterministicPieces } from "../lab/deterministic-body.ts";
import { Gateway } from "../lab/gateway.ts";
import { twoArmsConfiguration } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, NODE_ADDRESS, VIP } from "../lab/seed-a.ts";
import { synFlood } from "../lab/syn-flood.ts";
import { twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const IS_LONG = process.env["SLUICE_LONG"] === "1";
const MEGABYTES = IS_LONG ? 1000 : 60;
const BYTES_PER_SECOND = IS_LONG ? 40_000_000 : 4_000_000;
const FLOOD_FRAMES_PER_SECOND = IS_LONG ? 1_000_000 : 20_000;
const CONNECTIONS = 5;

let lab: Lab | null = null;
afterEach(() => lab?.close());

test("a flood and the death of the process cost a download nothing, and let new connections in", {
  timeout: 180_000,
}, async () => {
  lab = new Lab("sle");
  const network = await twoArms(lab);
  const configuration = twoArmsConfiguration(lab);
  const options = { configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" };
  const gateway = await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  network.router.ip(`route add ${VIP}/32 via ${NODE_ADDRESS} metric 5000`);
  network.client.sysctl("net.ipv4.tcp_rmem", "4096 65536 65536");

  const file = join(lab.folder, "download");
  const patience = [
    "--limit-rate",
    `${BYTES_PER_SECOND}`,
    "--max-time",
    "150",
    "--speed-limit",
    "1",
    "--speed-time",
    "1",
  ];
  const request = ["curl", "-sS", "--fail", "-o", file, ...patience, `http://${VIP}/${MEGABYTES}mb`];
  const download = network.client.start("curl", request);
  const bytes = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  await waitFor("the download to be under way", () => bytes() > BYTES_PER_SECOND / 2);
  const routerMac = JSON.parse(network.router.run(["ip", "-j", "link", "show", "dev", "to-client"]))[0].address;
  const flood = network.client.start("flood", synFlood("eth0", routerMac, VIP, 80, FLOOD_FRAMES_PER_SECOND));
  const opened = () => gateway.status().datapath.flows.opened;
  const before = opened();
  await waitFor("the flood to arrive", () => opened() > before + 10_000, {
    timeoutSeconds: 20,
    seen: () => flood.log(),
  });
  const errors = () =>
    Array.from(
      { length: CONNECTIONS },
      () => curl(network.client, `http://${VIP}/`, { timeoutSeconds: 8 }).error,
    ).filter((error) => error !== "");
  expect(errors()).toEqual([]);

  await gateway.stop("SIGKILL");
  const atDeath = bytes();
  expect(errors()).toEqual([]);
  await waitFor("progress without a process", () => bytes() > atDeath + BYTES_PER_SECOND / 2);
  const next = await Gateway.start(lab, network.node, options);
  expect(next.status().datapath.xdp.open).toBeGreaterThan(1000);
  expect(errors()).toEqual([]);
  await flood.stop();
  // curl gives up when nothing has come for a second.
  await waitFor("the download to end", () => download.exit() !== null, { timeoutSeconds: 120 });
  expect(download.exit()).toMatchObject({ code: 0 });
  const expected = createHash("sha256");
  for (const piece of deterministicPieces(MEGABYTES * 1_000_000)) expected.update(piece);
  expect(network.client.run(["sha256sum", file]).split(" ")[0]).toBe(expected.digest("hex"));
  await next.stop();
});

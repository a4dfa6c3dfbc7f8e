/**
 * The gateway dies in the middle of a download and another takes its place: established flows go on in the kernel, and
 * the next process finds them. The router has a route of its own to the VIP, as it would with graceful restart.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { curl } from "../lab/curl.ts";
import { deterministicBody, sha256 } from "../lab/deterministic-body.ts";
import { Gateway } from "../lab/gateway.ts";
import { behindSecondArm, behindStack } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, NODE_ADDRESS, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

/** More than is waited for: a process must have time to die and another to start, also on a busy machine. */
const MEGABYTES = 200;
const BYTES_PER_SECOND = 2_000_000;

let lab: Lab | null = null;
afterEach(() => lab?.close());

describe.each([
  ["the node's own stack", behindStack],
  ["a second interface", behindSecondArm],
])("with the backends behind %s", (_name, build) => {
  test("a download goes on while the process is dead, and through the start of the next", {
    timeout: 120_000,
  }, async () => {
    lab = new Lab("sle");
    const { network, options } = await build(lab);
    const first = await Gateway.start(lab, network.node, options);
    await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
    network.router.ip(`route add ${VIP}/32 via ${NODE_ADDRESS} metric 5000`);
    // What the client's kernel holds must not hide a stall.
    network.client.sysctl("net.ipv4.tcp_rmem", "4096 65536 65536");
    const file = join(lab.folder, "download");
    const limit = [
      "--limit-rate",
      String(BYTES_PER_SECOND),
      "--max-time",
      "100",
      "--speed-limit",
      "1",
      "--speed-time",
      "1",
    ];
    const download = network.client.start("curl", [
      ...["curl", "-sS", "--fail", "-o", file],
      ...limit,
      `http://${VIP}/${MEGABYTES}mb`,
    ]);
    const bytes = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    await waitFor("the download to be under way", () => bytes() > 2_000_000);
    expect(first.status().datapath.xdp.forward).toBeGreaterThan(0);

    await first.stop("SIGKILL");
    const atDeath = bytes();
    await waitFor("progress without a process", () => bytes() > atDeath + 4_000_000);
    const second = await Gateway.start(lab, network.node, options);
    const atBirth = bytes();
    await waitFor("progress with the next process", () => bytes() > atBirth + 2_000_000);
    expect(second.status().datapath.flows.live).toBeGreaterThan(0);
    expect(JSON.parse(second.ask("flows", "-o", "json"))).toContainEqual(
      expect.objectContaining({ vip: `${VIP}:80`, state: "established", forwardedBy: "kernel" }),
    );
    // curl gives up when nothing has come for a second.
    expect(download.exit()).toBeNull();
    await download.stop();
    const arrived = readFileSync(file);
    expect(sha256(arrived)).toBe(sha256(deterministicBody(arrived.length)));
    expect(curl(network.client, `http://${VIP}/`).error).toBe("");
    await second.stop();
    expect(network.node.run(["ip", "-d", "link", "show"])).not.toMatch(/prog\/xdp|\bsl[01]\b/);
  });
});

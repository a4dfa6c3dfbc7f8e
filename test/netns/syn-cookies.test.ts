/**
 * A flood of SYNs from random sources at a gateway that asks for proof, always or once its guard has seen the flood: real
 * clients connect before, during and after it, a download goes on, and of the flood nothing is kept.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { curl } from "../lab/curl.ts";
import { Gateway } from "../lab/gateway.ts";
import { twoArmsConfiguration } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, VIP } from "../lab/seed-a.ts";
import { synFlood } from "../lab/syn-flood.ts";
import { twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const FLOOD_FRAMES_PER_SECOND = 10_000;
const CONNECTIONS = 10;
const MEGABYTES = 20;
const GUARD = `
apiVersion: sluice.dev/v1alpha1
kind: SluicePolicy
metadata: { name: guard }
spec:
  module: builtin:syn-flood-guard
  options: { newFlowsPerSecond: 500, calmSeconds: 3 }
`;

let lab: Lab | null = null;
afterEach(() => lab?.close());

async function begin(words: readonly string[], manifests: Readonly<Record<string, string>> = {}) {
  lab = new Lab("sle");
  const network = await twoArms(lab);
  const { client, router } = network;
  const configuration = twoArmsConfiguration(lab);
  for (const [file, text] of Object.entries(manifests)) configuration.write(file, text);
  const gateway = await Gateway.start(lab, network.node, {
    ...{ configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" },
    arguments: words,
  });
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  const routerMac = JSON.parse(router.run(["ip", "-j", "link", "show", "dev", "to-client"]))[0].address;
  const file = join(lab.folder, "download");
  return {
    gateway,
    datapath: () => gateway.status().datapath,
    errors: () =>
      Array.from({ length: CONNECTIONS }, () => curl(client, `http://${VIP}/`, { timeoutSeconds: 4 }).error).filter(
        (error) => error !== "",
      ),
    flood: () => client.start("flood", synFlood("eth0", routerMac, VIP, 80, FLOOD_FRAMES_PER_SECOND)),
    /** One that has not been here before: what it says of its connection when that fails. */
    stranger: (address: string) => {
      client.ip(`address add ${address}/24 dev eth0`);
      const request = ["curl", "-sS", "--fail", "--interface", address, "--max-time", "4", `http://${VIP}/`];
      return client.try(request).stderr;
    },
    /** It ends by itself when nothing has come for two seconds. */
    download: async () => {
      const patience = ["--limit-rate", "1500000", "--max-time", "60", "--speed-limit", "1", "--speed-time", "2"];
      const download = client.start("curl", ["curl", "-sS", "-o", file, ...patience, `http://${VIP}/${MEGABYTES}mb`]);
      await waitFor("the download to be under way", () => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 1e6);
      return async () => {
        await waitFor("the download to end", () => download.exit() !== null, { timeoutSeconds: 60 });
        expect(download.exit()).toMatchObject({ code: 0 });
        expect(statSync(file).size).toBe(MEGABYTES * 1_000_000);
      };
    },
  };
}

test("real clients come in through a flood that leaves nothing behind", { timeout: 120_000 }, async () => {
  const stage = await begin(["--syn-cookies"]);
  const xdp = () => stage.datapath().xdp;
  const live = () => stage.datapath().flows.live;
  expect(stage.errors()).toEqual([]);
  // One question, and the one answer to it, for all of the client's connections.
  expect(xdp()).toMatchObject({ challenge: 1, proven: 1 });

  const downloaded = await stage.download();
  const before = live();
  const flood = stage.flood();
  await waitFor("the flood to be answered", () => xdp().challenge > 20_000, { timeoutSeconds: 30 });
  expect(live()).toBeLessThan(before + 100);
  expect(stage.errors()).toEqual([]);
  expect(stage.stranger("203.0.113.77")).toBe("");
  expect(xdp().proven).toBe(2);
  await flood.stop();
  await downloaded();
  await stage.gateway.stop();
});

test.each(["auto", "userspace"])(
  "with --datapath %s the guard has the door ask while a flood lasts, and no longer",
  {
    timeout: 120_000,
  },
  async (mode) => {
    const stage = await begin(["--datapath", mode], { "guard.yaml": GUARD });
    const { gateway, datapath } = stage;
    await waitFor("the guard to be in force", () => /guard .*in force/.test(gateway.ask("policies")));
    expect(stage.errors()).toEqual([]);
    expect(datapath()).toMatchObject({ synCookies: { on: false, askedBy: [] }, xdp: { challenge: 0 } });

    const downloaded = await stage.download();
    const flood = stage.flood();
    await waitFor("the guard to see it", () => datapath().synCookies.on, { timeoutSeconds: 20 });
    const { flows } = datapath();
    await waitFor("the flood to be answered", () => datapath().xdp.challenge > 20_000, { timeoutSeconds: 30 });
    // What came before the guard knew is all that there is of the flood.
    expect(datapath().flows.opened).toBeLessThan(flows.opened + 100);
    expect(datapath().totals.flowsEvicted).toBe(0);
    expect(stage.errors()).toEqual([]);
    expect(stage.stranger("203.0.113.77")).toBe("");
    expect(gateway.ask("policies")).toMatch(/guard asks for SYN cookies/);
    expect(gateway.ask("status")).toMatch(/SYN cookies: on since .*, asked for by guard/);

    // Nothing of it begins any more, so nobody needs to be limited.
    const metrics = () => gateway.readText("/metrics");
    const unlimited = async () => /sluice_policy_source_limit\{policy="guard"\} 0\n/.test(await metrics());
    await waitFor("the limit to end", unlimited, { timeoutSeconds: 20 });
    expect(await metrics()).toMatch(/^sluice_syn_cookies 1$/m);
    expect(await metrics()).toMatch(/^sluice_policy_wants_syn_cookies\{policy="guard"\} 1$/m);

    await flood.stop();
    await waitFor("the guard to see its end", () => !datapath().synCookies.on, { timeoutSeconds: 20 });
    const { challenge } = datapath().xdp;
    expect(stage.errors()).toEqual([]);
    expect(stage.stranger("203.0.113.78")).toBe("");
    expect(datapath().xdp.challenge).toBe(challenge);
    await downloaded();
    for (const line of [/SYN cookies are on:/g, /SYN cookies are off again:/g]) {
      expect(gateway.process.log().match(line)).toHaveLength(1);
    }
    await gateway.stop();
  },
);

/**
 * A policy that is loaded anew again and again while as many connections come in as the machine can make: no request may
 * be refused, reset or late. SLUICE_LONG=1 loads it a hundred times, at 10,000 connections a second where the machine can.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { PolicyLab } from "../lab/policy-lab.ts";
import { VIP } from "../lab/seed-a.ts";
import { startTerseNginx } from "../lab/terse-nginx.ts";
import { waitFor } from "../lab/wait-for.ts";
import { lost, Wrk } from "../lab/wrk.ts";

const RELOADS = process.env["SLUICE_LONG"] === "1" ? 100 : 20;
const PRESSURE = { connections: 64, pauseMilliseconds: 0 };
/** Of servers that have nothing of the lab's own in them. */
const PORT = 81;
const SOMAXCONN = 4096;

let lab: PolicyLab;

beforeAll(async () => {
  lab = await PolicyLab.start("slr");
  const { client, pods } = lab.network;
  client.sysctl("net.ipv4.tcp_tw_reuse", 1);
  for (const { namespace } of pods) {
    namespace.sysctl("net.core.somaxconn", SOMAXCONN);
    await startTerseNginx(lab.lab, namespace, PORT);
  }
  lab.configuration.edit("port: 80\n    protocol: TCP", `port: ${PORT}\n    protocol: TCP`);
  await waitFor("the servers' port", () => lab.ask() === "ok");
});

afterAll(() => lab?.close());

test(`${RELOADS} versions take effect one after another, and no request is lost`, { timeout: 300_000 }, async () => {
  lab.write("reloaded", "return Continue;", "0");
  await lab.deploy("reloaded", "./reloaded.ts");
  const began = performance.now();
  const load = Wrk.start(lab.network.client, `http://${VIP}/`, "new", PRESSURE);
  for (let version = 1; version <= RELOADS; version++) {
    // Every second one decides about the backend itself.
    const body = version % 2 === 0 ? "return Continue;" : "return flow.useBackend(flow.hash % flow.backendCount);";
    lab.write("reloaded", body, `${version}`);
    const isLoaded = async () => (await lab.policies())[0]!.version === `${version}`;
    await waitFor(`version ${version}`, isLoaded, { everyMilliseconds: 20, timeoutSeconds: 20 });
  }
  const result = await load.stop();
  const seconds = (performance.now() - began) / 1000;
  console.log(`${RELOADS} reloads, ${Math.round(result.answered / seconds)} connections a second`);
  const { stats, version } = (await lab.policies())[0]!;
  expect(version).toBe(`${RELOADS}`);
  expect(stats.asked).toBeGreaterThan(result.answered * 0.9);
  expect(stats.backendChosen).toBeGreaterThan(0);
  expect(lost(result)).toBe(0);
});

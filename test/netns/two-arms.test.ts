/** The gateway between two NICs: backends on a network of their own, reached without the node's stack. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { curl, curlMany, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Gateway, type GatewayOptions } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, VIP } from "../lab/seed-a.ts";
import { BACKENDS, lanNeighbors, type TwoArms, twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const URL = `http://${VIP}/`;

let lab: Lab;
let network: TwoArms;
let options: GatewayOptions;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await twoArms(lab);
  const configuration = new Configuration(lab, "seed-a");
  configuration.edit("10.2.3.5", BACKENDS[0]);
  configuration.edit("10.2.3.6", BACKENDS[1]);
  options = { configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" };
  await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

test("a backend whose hardware address is not known yet is asked for through the kernel", () => {
  network.node.run(["ip", "neigh", "flush", "dev", "lan0"]);
  const answers = Array.from({ length: 10 }, () => curl(network.client, URL, { timeoutSeconds: 5 }));
  expect(answers.map((answer) => answer.error)).toEqual(Array(10).fill(""));
  for (const address of BACKENDS) expect(lanNeighbors(network)).toMatch(new RegExp(`^${address} lladdr `, "m"));
});

test("each backend answers, and sees the client's own address", () => {
  const bodies = Array.from({ length: 20 }, () => curl(network.client, URL).body);
  expect(new Set(bodies)).toEqual(new Set(["backend1", "backend2"]));
  const clients = network.backends.flatMap((backend) => backend.requests().map((request) => request.client));
  expect(new Set(clients)).toEqual(new Set([CLIENT_ADDRESS]));
});

test("a 20 MB download arrives whole", async () => {
  const hash = await downloadSha256(network.client, `${URL}20mb`);
  expect(hash).toBe(sha256(deterministicBody(TWENTY_MEGABYTES)));
});

test("200 connections in a row all succeed", async () => {
  const codes = await curlMany(network.client, URL, 200);
  expect(codes.filter((code) => code === 200)).toHaveLength(200);
});

test("a second gateway is told in one sentence that the interface is taken, and the first goes on", () => {
  const second = network.node.try(Gateway.command(options, `${lab.folder}/second.sock`));
  expect(second.status).toBe(1);
  expect(second.stderr).toContain("another Sluice is running here and serves net0");
  expect(second.stderr).not.toMatch(/^\s+at /m);
  expect(curl(network.client, URL).error).toBe("");
});

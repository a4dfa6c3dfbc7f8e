/** Several queues on the uplink: a reply may come back on another queue than its request, and that must not matter. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { curl, curlMany, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const URL = `http://${VIP}/`;

let lab: Lab;
let network: SeedA;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await seedA(lab, { queues: 4 });
  const configuration = new Configuration(lab, "seed-a").folder;
  await Gateway.start(lab, network.node, { configuration, node: "node1", uplink: "net0" });
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

test("with four queues, 200 connections in a row all succeed, and each pod answers some", async () => {
  const bodies = Array.from({ length: 20 }, () => curl(network.client, URL).body);
  expect(new Set(bodies)).toEqual(new Set(["pod1", "pod2"]));
  const codes = await curlMany(network.client, URL, 200);
  expect(codes.filter((code) => code === 200)).toHaveLength(200);
});

test("with four queues, a 20 MB download arrives whole", async () => {
  const hash = await downloadSha256(network.client, `${URL}20mb`);
  expect(hash).toBe(sha256(deterministicBody(TWENTY_MEGABYTES)));
});

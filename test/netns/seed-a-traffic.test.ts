/** The main job, end to end: an outside client reaches the pods through the VIP that the router learnt by BGP. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { Configuration } from "../lab/configuration.ts";
import { curl, curlMany, downloadSha256, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const URL = `http://${VIP}/`;

let lab: Lab;
let network: SeedA;
let gateway: Gateway;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await seedA(lab);
  const configuration = new Configuration(lab, "seed-a").folder;
  gateway = await Gateway.start(lab, network.node, { configuration, node: "node1", uplink: "net0" });
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

/** The one Service, as status counts it. */
function service() {
  return gateway.status().services[0]!;
}

test("20 of 20 curls are answered, and each pod answers some", () => {
  const answers = Array.from({ length: 20 }, () => curl(network.client, URL));
  expect(answers.map((answer) => answer.error)).toEqual(Array(20).fill(""));
  expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["pod1", "pod2"]));
});

test("the pods' own logs show the client's real address", () => {
  const requests = network.pods.flatMap((pod) => pod.requests());
  expect(requests.length).toBeGreaterThanOrEqual(20);
  expect(new Set(requests.map((request) => request.client))).toEqual(new Set([CLIENT_ADDRESS]));
});

test("no netfilter rule takes part", () => {
  expect(network.node.run(["nft", "list", "ruleset"]).trim()).toBe("");
});

test("a 20 MB download arrives whole", async () => {
  const hash = await downloadSha256(network.client, `${URL}20mb`);
  expect(hash).toBe(sha256(deterministicBody(TWENTY_MEGABYTES)));
});

test("a 20 MB upload arrives whole", async () => {
  const body = deterministicBody(TWENTY_MEGABYTES);
  const file = join(lab.folder, "upload");
  writeFileSync(file, body);
  expect(await uploadSha256(network.client, `${URL}upload`, file)).toBe(sha256(body));
});

test("1,000 connections in a row all succeed", async () => {
  const codes = await curlMany(network.client, URL, 1000);
  expect(codes.filter((code) => code === 200)).toHaveLength(1000);
});

test("the bytes and flows of status agree with what was sent", async () => {
  const capture = await Capture.start(lab, network.router, "to-node", `host ${VIP} and tcp port 80`);
  const before = service();
  await curlMany(network.client, URL, 50);
  // The last segments of the last connection are still on their way when curl returns.
  await waitFor("the counters to settle", async () => {
    const earlier = JSON.stringify(service());
    await sleep(300);
    return earlier === JSON.stringify(service());
  });
  const after = service();
  await capture.stop();
  const lengthOf = (direction: "request" | "reply") =>
    capture
      .frames()
      .filter(({ bytes }) => (bytes.readUInt16BE(36) === 80) === (direction === "request"))
      .reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(after.flowsOpened - before.flowsOpened).toBe(50);
  expect(after.requestBytes - before.requestBytes).toBe(lengthOf("request"));
  expect(after.replyBytes - before.replyBytes).toBe(lengthOf("reply"));
});

test("a port of the VIP that no Service has is not answered, and nothing loops between node and router", async () => {
  const capture = await Capture.start(lab, network.router, "to-node", `host ${VIP} and tcp port 81`);
  const answer = curl(network.client, `http://${VIP}:81/`, { timeoutSeconds: 1 });
  await capture.stop();
  expect(answer.exitCode).not.toBe(0);
  expect(capture.frames().length).toBeLessThanOrEqual(4);
});

/** The gateway between two NICs: backends on a network of their own, reached without the node's stack. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl, curlMany, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Gateway, type GatewayOptions } from "../lab/gateway.ts";
import { twoArmsConfiguration } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, VIP } from "../lab/seed-a.ts";
import { synRetransmissions } from "../lab/tcp-counters.ts";
import { LAN_ADDRESS, lanNeighbors, type TwoArms, twoArms } from "../lab/two-arms.ts";
import { waitFor } from "../lab/wait-for.ts";

const URL = `http://${VIP}/`;

let lab: Lab;
let network: TwoArms;
let options: GatewayOptions;
let gateway: Gateway;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await twoArms(lab);
  const configuration = twoArmsConfiguration(lab);
  options = { configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" };
  gateway = await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

test("the first packet to a backend without a hardware address waits for the kernel to resolve it", () => {
  const before = synRetransmissions(network.client);
  for (let round = 0; round < 5; round++) {
    network.node.run(["ip", "neigh", "flush", "dev", "lan0"]);
    expect(curl(network.client, URL).error).toBe("");
    expect(curl(network.client, URL).error).toBe("");
  }
  expect(synRetransmissions(network.client) - before).toBe(0);
  expect(lanNeighbors(network)).toMatch(/^10\.9\.0\.1[12] lladdr /m);
  expect(gateway.status().datapath.reasons["NeighborAwaited"]).toBeGreaterThan(0);
});

test("a client hears that there is nobody where a backend should be", async () => {
  const gone = network.backends[0]!.namespace;
  gone.ip("link set eth0 down");
  network.node.run(["ip", "neigh", "flush", "dev", "lan0"]);
  const capture = await Capture.start(lab, network.client, "eth0", "icmp[0] = 3 and icmp[1] = 1");
  curl(network.client, URL, { timeoutSeconds: 3 });
  await waitFor("an ICMP error", () => {
    curl(network.client, URL, { timeoutSeconds: 3 });
    return capture.frames().length > 0;
  });
  await capture.stop();
  gone.ip("link set eth0 up", `route add default via ${LAN_ADDRESS}`);
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

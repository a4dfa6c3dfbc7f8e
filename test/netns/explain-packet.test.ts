/** What a running gateway says of a packet, against what then really happens to it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PacketExplanation } from "../../src/agent/packet-fate.ts";
import { Configuration } from "../lab/configuration.ts";
import { Gateway, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

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

function explain(port: number, destinationPort: number): PacketExplanation {
  const words = ["explain", "packet", CLIENT_ADDRESS, String(port), VIP, String(destinationPort), "tcp"];
  return JSON.parse(network.node.run([SLUICE, ...words, "-o", "json", "--socket", gateway.socket]));
}

test("the pod that is foretold is the one that answers, and then the flow is known", () => {
  for (const port of [40_001, 40_002, 40_003]) {
    const told = explain(port, 80);
    expect(told).toMatchObject({ verdict: "forwarded", flow: null, from: "net0" });
    const pod = told.becomes!.destination === "10.2.3.5:80" ? "pod1" : "pod2";
    const answer = network.client.run([
      "curl",
      "-s",
      "--max-time",
      "5",
      "--local-port",
      String(port),
      `http://${VIP}/`,
    ]);
    expect(answer.trim()).toBe(pod);
    expect(explain(port, 80)).toMatchObject({ flow: { isReply: false }, becomes: told.becomes });
  }
});

test("a port that no Service has is answered with a reset, and the reason is named", () => {
  expect(explain(40_004, 81)).toMatchObject({ verdict: "answered by the gateway", reason: "NoSuchVip", service: null });
});

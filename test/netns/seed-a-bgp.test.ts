/** What the router sees of the configuration, and of its changes while the gateway runs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { decodeBgp, Gateway } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { bgpMessagesFrom } from "../lab/pcap.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const URL = `http://${VIP}/`;

let lab: Lab;
let network: SeedA;
let configuration: Configuration;
let capture: Capture;
let gateway: Gateway;

const problems = () => gateway.status().config.problems;
const routed = () => isVipRouted(network);

beforeAll(async () => {
  lab = new Lab("sle");
  network = await seedA(lab);
  configuration = new Configuration(lab, "seed-a");
  configuration.setBgp(false);
  capture = await Capture.start(lab, network.router, "to-node", "tcp port 179");
  const options = { configuration: configuration.folder, node: "node1", uplink: "net0" };
  gateway = await Gateway.start(lab, network.node, options);
});

afterAll(() => lab?.close());

test("while the ConfigMap keeps BGP off, there is no session and no route", () => {
  expect(network.frr.sessionState(NODE_ADDRESS)).not.toBe("Established");
  expect(routed()).toBe(false);
});

test("switching it on announces the VIP from the node, without a restart", async () => {
  configuration.setBgp(true);
  await waitFor("the route", routed, { timeoutSeconds: 30 });
  expect(network.frr.paths(`${VIP}/32`)).toEqual([{ nextHop: NODE_ADDRESS, asPath: "65000" }]);
  expect(curl(network.client, URL).error).toBe("");
});

test("the UPDATE on the wire is the one that the seed prints", () => {
  const updates = decodeBgp(bgpMessagesFrom(NODE_ADDRESS, capture.frames())).filter(
    (message) => message["type"] === "UPDATE" && (message["nlri"] as unknown[])?.length > 0,
  );
  expect(updates).toHaveLength(1);
  const attributes = { origin: "IGP", asPath: [65000], nextHop: NODE_ADDRESS };
  expect(updates[0]).toMatchObject({ withdrawn: [], attributes, nlri: [`${VIP}/32`] });
});

test("a file that stops making sense changes nothing, and status names file, object and field", async () => {
  configuration.edit("localASN: 65000", "localASN: sixty-five");
  const problem = await waitFor("the problem in status", () => problems()[0]);
  expect(problem.object).toContain("BGPPeeringPolicy/cilium-bgp-policy");
  expect(problem.field).toBe("spec.virtualRouters[0].localASN");
  expect(JSON.stringify(problem)).toContain("bgp-peering-policy.yaml");
  expect(routed()).toBe(true);
  expect(curl(network.client, URL).error).toBe("");
  configuration.edit("localASN: sixty-five", "localASN: 65000");
  await waitFor("status to be clean again", () => problems().length === 0);
  expect(network.frr.sessionState(NODE_ADDRESS)).toBe("Established");
});

test("a file that is not YAML changes nothing either", async () => {
  configuration.write("torn.yaml", "kind: [Service\n  spec: {");
  const problem = await waitFor("the problem in status", () => problems()[0]);
  expect(JSON.stringify(problem)).toContain("torn.yaml");
  expect(curl(network.client, URL).error).toBe("");
  configuration.remove("torn.yaml");
  await waitFor("status to be clean again", () => problems().length === 0);
});

test("an endpoint taken out of its slice gets no new connections", async () => {
  configuration.edit(/ {2}- addresses: \["10\.2\.3\.6"\]\n(?: {4}.*\n)+/, "");
  await waitFor("pod2 to be left out", () => {
    const answers = Array.from({ length: 10 }, () => curl(network.client, URL).body);
    return answers.every((body) => body === "pod1");
  });
});

test("switching BGP off ends the session with Cease, Administrative Shutdown, and the route goes", async () => {
  configuration.setBgp(false);
  await waitFor("the route to go", () => !routed());
  expect(network.frr.lastNotification(NODE_ADDRESS)).toBe("Cease/Administrative Shutdown");
  const messages = decodeBgp(bgpMessagesFrom(NODE_ADDRESS, capture.frames()));
  expect(messages.at(-1)).toMatchObject({ type: "NOTIFICATION", code: 6, subcode: 2 });
});

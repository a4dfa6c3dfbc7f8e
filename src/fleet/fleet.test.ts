/** Nodes that ask each other, on addresses of the loopback. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ANSWERS } from "../../test/fixtures/cli-answers.ts";
import type { GatewayStatus } from "../agent/status.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { Fleet, type FleetMember } from "./fleet.ts";
import { FLEET_PATH, FleetDoor } from "./fleet-door.ts";
import { type NodeReport, nodeReport } from "./node-report.ts";
import { seal } from "./seal.ts";

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function reportOf(node: string): NodeReport {
  const status = { ...(ANSWERS["/v1/status"] as GatewayStatus), node };
  return nodeReport(status, new Map([["default/web", { time: 5, what: "no longer by n9" }]]), 1000);
}

async function door(node: string, key = KEY): Promise<number> {
  const made = new FleetDoor(key, async () => reportOf(node));
  const port = await freePort();
  await made.listen(port);
  closing.push(() => made.close());
  return port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function asked(port: number, nodes: Readonly<Record<string, string>>): Promise<readonly FleetMember[]> {
  const known = Object.entries(nodes).map(([name, address]) => ({
    name,
    internalAddresses: address === "" ? [] : [parseIpAddress(address)!],
  }));
  const report = async () => reportOf("n1");
  const fleet = new Fleet({
    self: "n1",
    report,
    nodes: () => known,
    announcers: () => ({}),
    others: { key: KEY, port },
  });
  return (await fleet.status()).members;
}

test("a node is shown with what it says of itself, beside the one that asks", async () => {
  const members = await asked(await door("n2"), { n1: "127.0.0.1", n2: "127.0.0.1" });
  expect(members.map(({ node, trouble }) => [node, trouble])).toEqual([
    ["n1", null],
    ["n2", null],
  ]);
  expect(members[1]!.report).toEqual(reportOf("n2"));
  expect(reportOf("n2")).toMatchObject({ liveFlows: 1, framesForwarded: 80, framesDropped: 5 });
  expect(reportOf("n2").sessions[1]!.lastError).toBe("the peer says Bad Peer AS");
  expect(reportOf("n2").services).toEqual({
    "default/web": { frames: 90, flowsOpened: 7, withoutBackends: [] },
    "shop/api": { frames: 3, flowsOpened: 0, withoutBackends: ["[2001:db8::100]:443/TCP"] },
  });
});

test("a node that does not answer is there with the reason", async () => {
  const port = await door("n2", OTHER_KEY);
  const troubles = async (where: number, nodes: Record<string, string>) =>
    (await asked(where, nodes)).map(({ trouble }) => trouble).filter((one) => one !== null);
  expect(await troubles(port, { n2: "127.0.0.1" })).toEqual(["it refuses: its cluster secret is another one"]);
  expect(await troubles(await door("n9"), { n2: "127.0.0.1" })).toEqual(["n9 answers at its address, 127.0.0.1"]);
  expect((await troubles(await freePort(), { n2: "127.0.0.1" }))[0]).toMatch(/^nothing listens at 127.0.0.1 port \d+/);
  expect(await troubles(port, { n2: "" })).toEqual(["its Node object has no internal address"]);
});

test("a node that takes the question and says nothing is waited for no longer than a moment", async () => {
  const silent: Server = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  closing.push(() => silent.close());
  const begun = performance.now();
  const { port } = silent.address() as AddressInfo;
  const members = await asked(port, { n2: "127.0.0.1" });
  expect(members[1]!.trouble).toBe(`no answer from 127.0.0.1 port ${port} within 1.5 s`);
  expect(performance.now() - begun).toBeLessThan(5000);
});

test("without a port the others are not asked", async () => {
  const nodes = () => [{ name: "n2", internalAddresses: [] }];
  const fleet = new Fleet({
    self: "n1",
    report: async () => reportOf("n1"),
    nodes,
    announcers: () => ({ "shop/api": ["n1", "n2"] }),
    others: null,
  });
  expect(await fleet.status()).toMatchObject({
    ...{ asksOthers: false, members: [{ node: "n1" }] },
    // Only one that is on its way out: nobody can connect.
    bare: [{ name: "shop/api", vips: ["[2001:db8::100]:443/TCP"] }],
  });
});

test("nobody is answered at the door of the fleet without the cluster's secret, and nothing there can be read or changed", async () => {
  const port = await door("n2");
  const answer = async (path: string, method: string, body?: Uint8Array) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, await response.text()] as const;
  };
  for (const path of ["/", "/v1/status", "/metrics", "/v1/drain", FLEET_PATH]) {
    expect((await answer(path, "GET"))[0], path).toBe(404);
  }
  expect((await answer("/v1/drain", "POST"))[0]).toBe(404);
  expect((await answer(FLEET_PATH, "POST"))[0]).toBe(403);
  expect((await answer(FLEET_PATH, "POST", seal(OTHER_KEY, "node", new Uint8Array())))[0]).toBe(403);
  expect((await answer(FLEET_PATH, "POST", new Uint8Array(5000)))[0]).toBe(413);
  // A question that somebody has recorded gets an answer that he can't read.
  const question = seal(KEY, "node", new Uint8Array());
  const [status, text] = await answer(FLEET_PATH, "POST", question);
  expect(status).toBe(200);
  // Long enough to be in no ciphertext by chance.
  expect(JSON.stringify(reportOf("n2"))).toContain("framesForwarded");
  expect(text).not.toContain("framesForwarded");
});

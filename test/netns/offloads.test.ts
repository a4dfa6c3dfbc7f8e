/**
 * A router whose end of the link leaves checksums to hardware that a veth does not have: found, told, and repaired when
 * asked to.
 */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { curl } from "../lab/curl.ts";
import { type DualStack, dualStack, hostsOnLan, PLACES } from "../lab/dual-stack.ts";
import { Gateway, type GatewayOptions, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { RunResult } from "../lab/namespace.ts";
import { waitFor } from "../lab/wait-for.ts";

let lab: Lab;
let network: DualStack;
let gateway: Gateway;

beforeAll(async () => {
  lab = new Lab("slo");
  network = await dualStack(lab, hostsOnLan);
  gateway = network.gateway;
  for (const [namespace, device] of farEnds())
    execFileSync("nsenter", [`--net=/run/netns/${namespace}`, "ethtool", "-K", device, "tx", "on"]);
});

afterAll(() => lab?.close());

/** Of net0 and of lan0. */
const farEnds = () =>
  [
    [network.router.name, "to-node"],
    ["slo-lan", "port0"],
  ] as const;

const check = (...options: string[]): RunResult =>
  network.node.try([SLUICE, "check", "--uplink", "net0", "--inside", "lan0", ...options]);

const answers = () =>
  PLACES.map(({ family, web }) => curl(network.client, `http://${family === 4 ? web : `[${web}]`}/`));

async function restart(...options: string[]): Promise<void> {
  await gateway.stop();
  const again: GatewayOptions = {
    configuration: `${lab.folder}/configuration-dual-stack`,
    node: "node1",
    uplink: "net0",
    inside: "lan0",
    arguments: options,
  };
  gateway = await Gateway.start(lab, network.node, again);
  const served = () => gateway.status().services.length;
  await waitFor("the Services to be served", () => served() > 0, { seen: served });
}

test("the check names both far ends, where they are, what to do, and ends with 1", () => {
  const { status, stdout } = check();
  expect(status).toBe(1);
  // Lines are wrapped at a terminal's width.
  const said = stdout.replaceAll(/\s+/g, " ");
  for (const [namespace, device] of farEnds()) {
    expect(said).toMatch(
      new RegExp(`error: .*${device} in the namespace /run/netns/${namespace}.*\`ethtool -K ${device} tx off\``),
    );
  }
});

test("without repair nothing is changed, the log and the status tell it, and TCP hangs", async () => {
  // Flows in the kernel get by on a veth: its far end believes an unfinished checksum, which no NIC would.
  await restart("--datapath", "userspace");
  expect(gateway.status().datapath.offloads.problems.map((problem) => problem.interface)).toEqual(["net0", "lan0"]);
  expect(gateway.ask("status").replaceAll(/\s+/g, " ")).toContain("`ethtool -K to-node tx off`");
  expect(gateway.process.log()).toContain("the other end of net0, to-node");
  expect(answers().map(({ exitCode }) => exitCode)).toEqual([28, 28]);
});

test("with repair the gateway switches them off, says so, and serves", async () => {
  await restart("--repair-offloads");
  const { offloads } = gateway.status().datapath;
  expect(offloads.problems).toEqual([]);
  expect(offloads.repaired.map((problem) => problem.interface)).toEqual(["net0", "lan0"]);
  expect(gateway.process.log()).toContain("repaired: ");
  expect(answers().map(({ error }) => error)).toEqual(["", ""]);
  expect(check()).toMatchObject({ status: 0, stdout: "nothing stands in the way on net0, lan0\n" });
});

test("the check repairs as well, and ends with 0 when nothing is left", () => {
  network.router.offload("to-node", { tx: true });
  const { status, stdout } = check("--repair-offloads", "-o", "json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ problems: [], repaired: [{ interface: "net0" }] });
  expect(network.router.run(["ethtool", "-k", "to-node"])).toContain("tx-checksumming: off");
});

test("an interface that does not exist is named", () => {
  const { status, stderr } = network.node.try([SLUICE, "check", "--uplink", "nope0"]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^sluice: .*nope0.*`ip link`/);
});

/**
 * The gateway in a VLAN: the router sends it nothing but frames tagged 100, and takes nothing else from it. The kernel of
 * the lab has no VLAN devices: a program on the router's interface does what one would, and what neighbours there are
 * is written down. So the backends are behind a second interface: from pods in the node's stack, replies would leave by
 * the VLAN device that this kernel can't have.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { type DualStack, dualStack, hostsOnLan, type MakeBackends, PLACES } from "../lab/dual-stack.ts";
import { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import { attachProgram, compileProgram } from "../lab/traffic-program.ts";
import { waitFor } from "../lab/wait-for.ts";

const bodySha256 = sha256(deterministicBody(TWENTY_MEGABYTES));

/** Puts both ends of the uplink into VLAN 100. */
function tagged(inside: MakeBackends): MakeBackends {
  return (lab, node, router) => {
    attachProgram(router, "to-node", compileProgram(lab, "vlan"), "ingress", "egress");
    // The tag travels in the frame, not beside it, as on a wire.
    for (const [namespace, device] of [
      [router, "to-node"],
      [node, "net0"],
    ] as const) {
      namespace.offload(device, { "tx-vlan-hw-insert": false, "rx-vlan-hw-parse": false });
    }
    for (const address of ["10.1.1.2", "fd00:1::2"]) setNeighbor(router, "to-node", address, macOf(node, "net0"));
    for (const address of ["10.1.1.1", "fe80::1"]) setNeighbor(node, "net0", address, macOf(router, "to-node"));
    return inside(lab, node, router);
  };
}

const macOf = (namespace: Namespace, device: string) =>
  /link\/ether (\S+)/.exec(namespace.run(["ip", "link", "show", device]))![1]!;

function setNeighbor(namespace: Namespace, device: string, address: string, mac: string): void {
  namespace.ip(`neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`);
}

let lab: Lab;
let network: DualStack;

beforeAll(async () => {
  lab = new Lab("slv");
  network = await dualStack(lab, tagged(hostsOnLan), { arguments: ["--vlan", "net0=100"] });
});

afterAll(() => lab?.close());

test.each(PLACES)("a client outside reaches backends through the VLAN (IPv$family)", async ({ family, web }) => {
  const url = `http://${family === 4 ? web : `[${web}]`}:80/`;
  const all = await Capture.start(lab, network.router, "to-node", "");
  const answers = Array.from({ length: 10 }, () => curl(network.client, url));
  expect(answers.map(({ error }) => error)).toEqual(Array(10).fill(""));
  expect(new Set(answers.map(({ body }) => body)).size).toBe(2);
  const inVlan = () => all.frames().filter(({ bytes }) => bytes.toString("hex", 12, 16) === "81000064");
  await waitFor("the capture to have them", () => inVlan().length >= 80);
  await all.stop();
  expect(await downloadSha256(network.client, `${url}20mb`)).toBe(bodySha256);
});

test("what an administrator has written down of neighbours stays as it is", () => {
  expect(network.node.run(["ip", "neigh", "show", "dev", "net0", "nud", "permanent"])).toMatch(/^10\.1\.1\.1 lladdr/m);
});

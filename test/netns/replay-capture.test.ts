/**
 * `sluice replay --pcap` beside the running gateway: fed with what tcpdump saw of the requests, and with the same secret,
 * it makes the very packets that tcpdump saw leave the gateway towards the backends.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl } from "../lab/curl.ts";
import { type DualStack, dualStack, hostsOnLan, PLACES } from "../lab/dual-stack.ts";
import { SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { type CapturedFrame, readPcap } from "../lab/pcap.ts";

const ETHERNET_BYTES = 14;

let lab: Lab;
let network: DualStack;
let secret: string;

beforeAll(async () => {
  lab = new Lab("sle");
  secret = join(lab.folder, "secret");
  writeFileSync(secret, "a secret of the cluster's nodes");
  network = await dualStack(lab, hostsOnLan, { arguments: ["--cluster-secret", secret] });
});

afterAll(() => lab?.close());

/** As hex digits. */
function macOf(device: string): string {
  const [link] = JSON.parse(network.node.run(["ip", "-j", "link", "show", device])) as [{ address: string }];
  return link.address.replaceAll(":", "");
}

/** IPv4 and IPv6 to backends, each as hex from the IP header on. */
const packets = (frames: readonly CapturedFrame[]) =>
  frames
    .filter(({ bytes }) => ["0800", "86dd"].includes(bytes.toString("hex", 12, 14)))
    .map(({ bytes }) => bytes.toString("hex", ETHERNET_BYTES));

test("it makes the packets that the gateway made, byte for byte from the IP header on", async () => {
  const lan = lab.find("lan");
  const outside = await Capture.start(lab, network.router, "to-node", "port 80");
  const inside = await Capture.start(lab, lan, "port0", "port 80");
  for (const { family, web } of PLACES) {
    const url = `http://${family === 4 ? web : `[${web}]`}/`;
    for (let i = 0; i < 5; i++) expect(curl(network.client, url).error).toBe("");
  }
  await outside.stop();
  await inside.stop();
  const out = join(lab.folder, "out.pcap");
  const config = join(lab.folder, "configuration-dual-stack");
  const words = ["replay", "--pcap", outside.file, "--config", config, "--cluster-secret", secret, "--out", out];
  const { status, stdout, stderr } = network.client.try([SLUICE, ...words]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^tx port0 +\d+$/m);
  expect(stdout).toMatch(/^sent by the gateway itself +\d+$/m);

  const gatewayMac = macOf("lan0");
  const made = packets(inside.frames().filter(({ bytes }) => bytes.toString("hex", 6, 12) === gatewayMac));
  expect(made.length).toBeGreaterThan(50);
  expect(packets(readPcap(readFileSync(out)))).toEqual(made);
});

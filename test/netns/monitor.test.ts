/** Frames shown as they happen, by the worker and by the kernel's samples, and a capture that tshark reads. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FrameEvent } from "../../src/trace/frame-event.ts";
import { Configuration } from "../lab/configuration.ts";
import { Gateway, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const DENY_ALL = `
apiVersion: sluice.dev/v1alpha1
kind: SluicePolicy
metadata: {name: closed}
spec:
  module: builtin:prefix-list
  options: {action: deny, prefixes: [203.0.113.0/24]}
`;

let lab: Lab;
let network: SeedA;
let gateway: Gateway;
let configuration: Configuration;

beforeAll(async () => {
  lab = new Lab("slm");
  network = await seedA(lab);
  configuration = new Configuration(lab, "seed-a");
  const place = { configuration: configuration.folder, node: "node1", uplink: "net0" };
  gateway = await Gateway.start(lab, network.node, place);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

/** Runs a command that looks, and lets the client ask until it has seen enough. */
async function seenBy(command: readonly string[], ask: () => void): Promise<string> {
  const looking = network.node.tryLater([SLUICE, ...command, "--socket", gateway.socket]);
  let ended = false;
  void looking.finally(() => {
    ended = true;
  });
  while (!ended) {
    ask();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { status, stdout, stderr } = await looking;
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

const events = (stdout: string): FrameEvent[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as FrameEvent);

const curl = (port = 80) => void network.client.try(["curl", "-s", "--max-time", "1", `http://${VIP}:${port}/`]);

test("a connection's first frames are shown with Service, backend and way, those after them as samples of the kernel", async () => {
  const shown = events(
    await seenBy(["monitor", "--service", "default/my-service", "--sample", "1", "--count", "20", "-o", "json"], curl),
  );
  const opening = shown.find(({ flags }) => flags === "S")!;
  expect(opening).toMatchObject({
    ...{ by: "worker", direction: "request", client: CLIENT_ADDRESS, service: "default/my-service", port: "net0" },
    ...{ destination: `${VIP}:80`, verdict: "forwarded", reason: null },
  });
  expect(opening.becomes!.destination).toBe(opening.backend);
  const fromKernel = shown.filter(({ by }) => by === "kernel");
  expect(fromKernel.length).toBeGreaterThan(0);
  for (const event of fromKernel) {
    expect(event).toMatchObject({ service: "default/my-service", client: CLIENT_ADDRESS, standsFor: 1 });
    expect(event.backend).toMatch(/^10\.2\.3\.[56]:80$/);
  }
});

test("a policy's no is shown with its name and its reason", async () => {
  configuration.write("policy.yaml", DENY_ALL);
  await waitFor("the policy", () => gateway.ask("policies").includes("closed"));
  const [denied] = events(await seenBy(["monitor", "--reason", "PolicyDenied", "--count", "1", "-o", "json"], curl));
  configuration.remove("policy.yaml");
  expect(denied).toMatchObject({ verdict: "dropped", policy: { policy: "closed", answer: "deny" } });
  expect(denied!.policy!.reason).toBeTruthy();
  await waitFor("the policy to go", () => !gateway.ask("policies").includes("closed"));
});

test("for people it is a line or two, no wider than a terminal", async () => {
  const shown = await seenBy(["monitor", "--client", CLIENT_ADDRESS, "--count", "3"], () => curl(81));
  expect(shown).toMatch(/net0 TCP S 203\.0\.113\.10:\d+ > 192\.168\.10\.100:81/);
  expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

test("a capture has each frame as it came in and as it went on, and tshark shows the comments", async () => {
  const file = join(lab.folder, "web.pcapng");
  await seenBy(["capture", "-w", file, "--service", "default/my-service", "--sample", "0", "--count", "8"], curl);
  const fields = ["frame.interface_name", "frame.packet_flags_direction", "ip.dst", "frame.comment", "_ws.malformed"];
  const words = ["-r", file, "-T", "fields", ...fields.flatMap((field) => ["-e", field])];
  const { stdout, stderr } = spawnSync("tshark", words, { encoding: "utf8" });
  const packets = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  expect(packets.length, stderr).toBe(16);
  const request = packets.find(([, , destination]) => destination === VIP)!;
  expect(request.slice(0, 2)).toEqual(["net0", "0x00000001"]);
  expect(request[3]).toMatch(
    /^sluice: forwarded by sl1, as 203\.0\.113\.10:\d+ > 10\.2\.3\.[56]:80, request of default\/my-service/,
  );
  const sent = packets.find(([, , destination]) => destination!.startsWith("10.2.3."))!;
  expect(sent.slice(0, 2)).toEqual(["sl1", "0x00000002"]);
  for (const packet of packets) expect(packet[4] ?? "").toBe("");
});

test("it ends without a complaint when its reader has enough", async () => {
  const script = `"$0" monitor --socket "$1" | head -n 1`;
  const looking = network.node.tryLater(["sh", "-c", script, SLUICE, gateway.socket], { timeoutSeconds: 20 });
  let ended = false;
  void looking.finally(() => {
    ended = true;
  });
  while (!ended) {
    curl();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await looking).toMatchObject({ status: 0, stderr: "" });
});

test("a filter that names what is not there is refused with a sentence", () => {
  const refused = (...words: string[]) =>
    network.node.try([SLUICE, "monitor", ...words, "--socket", gateway.socket]).stderr;
  expect(refused("--service", "default/other")).toContain("no Service default/other is served on this node");
  expect(refused("--client", "somebody")).toContain("client somebody: an address or a prefix expected");
  expect(refused("--sample", "3")).toContain("sample 3: a power of two expected");
});

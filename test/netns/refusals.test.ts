/** What cannot work is refused at the start: exit code 1, one sentence that names the thing, and no stack trace. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { Gateway, type GatewayOptions } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { Namespace, RunResult } from "../lab/namespace.ts";

let lab: Lab;
let node: Namespace;
let options: GatewayOptions;

beforeAll(() => {
  lab = new Lab("sle");
  node = lab.namespace("node1");
  lab.connect({ namespace: node, device: "net0" }, { namespace: lab.namespace("peer"), device: "eth0" });
  options = { configuration: new Configuration(lab, "seed-a").folder, node: "node1", uplink: "net0" };
});

afterAll(() => lab?.close());

function run(changed: Partial<GatewayOptions>, wrapper: readonly string[] = []): RunResult {
  return node.try([...wrapper, ...Gateway.command({ ...options, ...changed }, `${lab.folder}/refused.sock`)]);
}

function expectOneSentence({ status, stdout, stderr }: RunResult, about: RegExp): void {
  expect(status).toBe(1);
  expect(stderr).toMatch(about);
  expect(stdout + stderr).not.toMatch(/^\s+at |node:internal|Error:/m);
}

test("an uplink that does not exist is named", () => {
  expectOneSentence(run({ uplink: "nope0" }), /nope0/);
});

test("an inside interface that does not exist is named", () => {
  expectOneSentence(run({ inside: "nope1" }), /nope1/);
});

test("without the capabilities it needs, it says which or whom to be", () => {
  const unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
  expectOneSentence(run({}, unprivileged), /permi|root|CAP_/i);
});

test("an uplink that is down is named, with the command that raises it", () => {
  node.ip("link set net0 down");
  expectOneSentence(run({}), /ip link set net0 up/);
  node.ip("link set net0 up");
});

test("nothing is left on the uplink after a refusal", () => {
  run({ inside: "nope1" });
  expect(node.run(["ip", "-d", "link", "show"])).not.toMatch(/prog\/xdp|\bsl[01]\b/);
});

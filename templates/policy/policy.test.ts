/** Runs the policy in Sluice's own pipeline, without a gateway: `npm test`. SLUICE is the command, if not `sluice`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const POLICY = {
  name: "my-policy",
  module: "./policy.ts",
  options: { denied: ["203.0.113.66"], testers: ["203.0.113.7"], canary: "shop/canary" },
};

const NODE = {
  ifaces: {
    net0: { mac: "02:00:00:00:00:01", ipv4: "10.1.0.1/16" },
    pods: { mac: "02:00:00:00:00:02", ipv4: "10.2.0.1/16" },
  },
  routes: [
    { dst: "0.0.0.0/0", iface: "net0", via: "10.1.0.2" },
    { dst: "10.2.0.0/16", iface: "pods" },
  ],
  neighbors: {
    "10.1.0.2": "02:00:00:00:01:00",
    "10.2.0.5": "02:00:00:00:02:05",
    "10.2.0.9": "02:00:00:00:02:09",
  },
  owned_addrs: ["198.51.100.10", "198.51.100.11"],
};

const VIPS = [
  { service: "shop/web", addr: "198.51.100.10", proto: "tcp", port: 80, backends: [{ addr: "10.2.0.5", port: 8080 }] },
  {
    service: "shop/canary",
    addr: "198.51.100.11",
    proto: "tcp",
    port: 80,
    backends: [{ addr: "10.2.0.9", port: 8080 }],
  },
];

/** What becomes of a client's first packet to the Service shop/web. */
function connect(client: string) {
  const packet = { from: `${client}:40000`, to: "198.51.100.10:80", protocol: "tcp", flags: "S" };
  const scenario = { id: client, node: NODE, vips: VIPS, policies: [POLICY], frames: [{ iface: "net0", packet }] };
  const { stdout, stderr, error } = spawnSync(process.env["SLUICE"] ?? "sluice", ["replay", "-"], {
    input: JSON.stringify(scenario),
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  const answer = JSON.parse(stdout || JSON.stringify({ error: stderr }));
  assert.equal(answer.error, undefined);
  return answer.results[0];
}

test("a denied client gets no answer", () => {
  assert.deepEqual(connect("203.0.113.66"), { verdict: "drop", reason: "PolicyDenied" });
});

test("a tester gets the canary", () => {
  assert.equal(connect("203.0.113.7").packet.to, "10.2.0.9:8080");
});

test("everybody else gets the Service", () => {
  assert.equal(connect("203.0.113.8").packet.to, "10.2.0.5:8080");
});

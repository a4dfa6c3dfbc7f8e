import { expect, test } from "vitest";
import { isListenedOn, missingCapabilities, takenPorts } from "./node-facts.ts";
import { judgeNode, type NodeFacts, type TakenPort, type UplinkFacts } from "./node-findings.ts";

const UPLINK: UplinkFacts = {
  ...{ name: "eth0", exists: true, up: true, mtu: 1500, reversePathFilter: 0, xdpProgram: null, master: null },
};
const HEARTBEATS: TakenPort = { what: "heartbeats", port: "UDP 9473", option: "--l2-port", always: true };
const GOOD: NodeFacts = {
  ...{ kernel: "6.18.5", hasBtf: true, jit: "1", hasBpffs: true, missingCapabilities: [], forwards4: true },
  ...{ forwards6: null, uplinks: [UPLINK], takenPorts: [], clockIsKept: true, isRunning: false },
};

test("a node that is as it should be has no finding", () => {
  expect(judgeNode(GOOD)).toEqual([]);
  expect(judgeNode({ ...GOOD, clockIsKept: null, jit: null, kernel: "7.0.1-rc2" })).toEqual([]);
});

test.each([
  [{ kernel: "5.10.0-8-amd64" }, "warning", "5.10"],
  [{ hasBtf: false }, "error", "BTF"],
  [{ jit: "0" }, "warning", "interpreted"],
  [{ hasBpffs: false }, "warning", "bpffs"],
  [{ missingCapabilities: ["CAP_BPF"] }, "error", "CAP_BPF"],
  [{ forwards4: false }, "error", "IPv4"],
  [{ forwards6: false }, "warning", "IPv6"],
  [{ clockIsKept: false }, "warning", "clock"],
  [{ takenPorts: [HEARTBEATS] }, "error", "UDP 9473"],
  [{ takenPorts: [{ ...HEARTBEATS, port: "TCP 9472", option: "--http", always: false }] }, "warning", "where `--http`"],
  [{ uplinks: [{ ...UPLINK, exists: false }] }, "error", "no interface eth0"],
  [{ uplinks: [{ ...UPLINK, up: false }] }, "error", "eth0 is down"],
  [{ uplinks: [{ ...UPLINK, mtu: 1000 }] }, "warning", "MTU of 1000"],
  [{ uplinks: [{ ...UPLINK, reversePathFilter: 1 }] }, "warning", "rp_filter"],
  [{ uplinks: [{ ...UPLINK, xdpProgram: "xdp_lb" }] }, "error", "xdp_lb"],
  [{ uplinks: [{ ...UPLINK, master: "bond0" }] }, "error", "port of bond0"],
] as const)("a node with %j has one finding, with a fix", (wrong, severity, words) => {
  const found = judgeNode({ ...GOOD, ...wrong } as NodeFacts);
  expect(found).toHaveLength(1);
  expect(found[0]!.severity).toBe(severity);
  expect(found[0]!.what).toContain(words);
  expect(found[0]!.fix).not.toBe("");
});

test("what the gateway that runs here holds is not in its way", () => {
  const uplinks = [{ ...UPLINK, xdpProgram: "sluice_xdp" }];
  expect(judgeNode({ ...GOOD, uplinks, takenPorts: [HEARTBEATS], isRunning: true })).toEqual([]);
});

test("capabilities are read from the mask that the kernel shows", () => {
  expect(missingCapabilities("CapEff:\t000001ffffffffff\n")).toEqual([]);
  expect(missingCapabilities("CapEff:\t0000000000003000\n")).toEqual(["CAP_IPC_LOCK", "CAP_PERFMON", "CAP_BPF"]);
});

test("a port is taken by who listens there, not by who happens to send from it", () => {
  const line = (local: string, state: string) => `   0: ${local} 00000000:0000 ${state} 00000000:00000000\n`;
  const heading = "  sl  local_address rem_address   st tx_queue rx_queue\n";
  expect(isListenedOn(heading + line("0100007F:2500", "0A"), 9472)).toBe(true);
  expect(isListenedOn(heading + line("00000000:2501", "07"), 9473)).toBe(true);
  expect(isListenedOn(heading + line("0100007F:2500", "01"), 9472)).toBe(false);
  expect(isListenedOn(heading, 9472)).toBe(false);
});

test("the ports of heartbeats, status page and fleet are looked for, of both families", () => {
  const heading = "  sl  local_address rem_address   st tx_queue rx_queue\n";
  const tables: Record<string, string> = {
    udp: `${heading}   0: 00000000:2501 00000000:0000 07 00000000:00000000\n`,
    tcp: `${heading}   0: 0100007F:2500 00000000:0000 0A 00000000:00000000\n`,
    tcp6: `${heading}   0: ${"0".repeat(32)}:2503 ${"0".repeat(32)}:0000 0A 00000000:00000000\n`,
  };
  const taken = takenPorts(9473, (name) => tables[name] ?? "");
  expect(taken.map(({ port, option }) => [port, option])).toEqual([
    ["UDP 9473", "--l2-port"],
    ["TCP 9472", "--http"],
    ["TCP 9475", "--fleet"],
  ]);
  expect(takenPorts(9000, () => "")).toEqual([]);
});

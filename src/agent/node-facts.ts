/** Facts about this node, for node-findings.ts; nothing is changed by looking. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { attachedXdp } from "../xdp/attach.ts";
import { findLink } from "../xdp/netlink.ts";
import type { NodeFacts, UplinkFacts } from "./node-findings.ts";
import { readSysctl } from "./sysctl.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
/** Bits of CapEff (capability.h). */
const CAPABILITIES = { NET_ADMIN: 12, NET_RAW: 13, IPC_LOCK: 14, PERFMON: 38, BPF: 39 } as const;
/** What keeps the clock leaves one of these. */
const CLOCK_KEPT = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/ntpd.pid"];

export function readNodeFacts(uplinks: readonly string[], l2Port: number, isRunning: boolean): NodeFacts {
  const forwards6 = readSysctl("net/ipv6/conf/all/forwarding");
  const isTaken = portIsTaken("udp", l2Port) || portIsTaken("udp6", l2Port);
  return {
    kernel: release(),
    hasBtf: existsSync("/sys/kernel/btf/vmlinux"),
    jit: readSysctl("net/core/bpf_jit_enable"),
    hasBpffs: existsSync("/sys/fs/bpf") && statfsSync("/sys/fs/bpf").type === BPF_FS_MAGIC,
    missingCapabilities: missingCapabilities(readFileSync("/proc/self/status", "utf8")),
    forwards4: readSysctl("net/ipv4/ip_forward") === "1",
    forwards6: forwards6 === null ? null : forwards6 === "1",
    uplinks: uplinks.map(readUplink),
    takenPorts: isTaken ? [{ what: "heartbeats between nodes", port: `UDP ${l2Port}`, option: "--l2-port" }] : [],
    // A container does not see who keeps its node's clock.
    clockIsKept: existsSync("/run/systemd/system") ? CLOCK_KEPT.some((path) => existsSync(path)) : null,
    isRunning,
  };
}

/** @param status the text of /proc/PID/status. */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) =>
    ((effective >> BigInt(bit)) & 1n) === 1n ? [] : [`CAP_${name}`],
  );
}

function readUplink(name: string): UplinkFacts {
  const link = findLink(name);
  const filter = (of: string) => Number(readSysctl(`net/ipv4/conf/${of}/rp_filter`) ?? 0);
  return {
    name,
    exists: link !== null,
    up: link?.up ?? false,
    mtu: link?.mtu ?? 0,
    reversePathFilter: Math.max(filter(name), filter("all")),
    xdpProgram: link === null ? null : (attachedXdp(name)?.name ?? null),
  };
}

/** Lines of /proc/net/udp: slot, local address:port in hex, ... */
function portIsTaken(table: "udp" | "udp6", port: number): boolean {
  const file = `/proc/net/${table}`;
  if (!existsSync(file)) return false;
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync(file, "utf8").trim().split("\n").slice(1);
  return lines.some((line) => line.trim().split(/\s+/)[1]?.endsWith(suffix));
}

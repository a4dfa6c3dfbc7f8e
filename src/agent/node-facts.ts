/** Facts about this node, for node-findings.ts; nothing is changed by looking. */
import { existsSync, readFileSync, readlinkSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { basename } from "node:path";
import { attachedXdp } from "../xdp/attach.ts";
import { findLink } from "../xdp/netlink.ts";
import type { NodeFacts, TakenPort, UplinkFacts } from "./node-findings.ts";
import { readSysctl } from "./sysctl.ts";

/** Where `--http` listens unless told otherwise. */
const STATUS_PAGE_PORT = 9472;
/** And `--fleet`. */
const FLEET_PORT = 9475;
const BPF_FS_MAGIC = 0xcafe4a11;
/** Bits of CapEff (capability.h). */
const CAPABILITIES = { NET_ADMIN: 12, NET_RAW: 13, IPC_LOCK: 14, PERFMON: 38, BPF: 39 } as const;
/** What keeps the clock leaves one of these. */
const CLOCK_KEPT = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/ntpd.pid"];

export function readNodeFacts(uplinks: readonly string[], l2Port: number, isRunning: boolean): NodeFacts {
  const forwards6 = readSysctl("net/ipv6/conf/all/forwarding");
  return {
    kernel: release(),
    hasBtf: existsSync("/sys/kernel/btf/vmlinux"),
    jit: readSysctl("net/core/bpf_jit_enable"),
    hasBpffs: existsSync("/sys/fs/bpf") && statfsSync("/sys/fs/bpf").type === BPF_FS_MAGIC,
    missingCapabilities: missingCapabilities(readFileSync("/proc/self/status", "utf8")),
    forwards4: readSysctl("net/ipv4/ip_forward") === "1",
    forwards6: forwards6 === null ? null : forwards6 === "1",
    uplinks: uplinks.map(readUplink),
    takenPorts: takenPorts(l2Port, socketTable),
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
    master: masterOf(name),
  };
}

/** The bond or bridge that an interface is a port of. */
function masterOf(name: string): string | null {
  try {
    return basename(readlinkSync(`/sys/class/net/${name}/master`));
  } catch {
    return null;
  }
}

/** Those of our ports that somebody listens on. @param table gives the text of /proc/net/udp, udp6, tcp or tcp6. */
export function takenPorts(l2Port: number, table: (name: string) => string): TakenPort[] {
  const ports = [
    { what: "heartbeats between nodes", protocol: "udp", port: l2Port, option: "--l2-port", always: true },
    { what: "the status page", protocol: "tcp", port: STATUS_PAGE_PORT, option: "--http", always: false },
    { what: "questions of other nodes", protocol: "tcp", port: FLEET_PORT, option: "--fleet", always: false },
  ] as const;
  return ports
    .filter(({ protocol, port }) => [protocol, `${protocol}6`].some((name) => isListenedOn(table(name), port)))
    .map(({ what, protocol, port, ...ask }) => ({ what, port: `${protocol.toUpperCase()} ${port}`, ...ask }));
}

/** Empty where the kernel has no such protocol. */
function socketTable(name: string): string {
  const file = `/proc/net/${name}`;
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/**
 * @param table the text of /proc/net/udp or tcp: slot, local address:port, remote address:port, state, in hex. A UDP socket that
 * is not connected has state 7, a TCP one that listens 10.
 */
export function isListenedOn(table: string, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = table.trim().split("\n").slice(1);
  return lines.some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(suffix) && (state === "07" || state === "0A");
  });
}

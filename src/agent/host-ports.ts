/**
 * Ports that the node itself uses, which source NAT leaves alone: those that its sockets are bound to, listening or not,
 * and those that Linux gives to its own clients.
 */
import { readFileSync } from "node:fs";
import type { PortRange } from "../dataplane/forwarding-spec.ts";

const SOCKETS = ["tcp", "tcp6", "udp", "udp6"].map((name) => `/proc/net/${name}`);
const CLIENT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range";

/** What is left of port ranges. A file that can't be read takes nothing away. */
export function withoutHostPorts(ranges: readonly PortRange[], read: (file: string) => string = readText): PortRange[] {
  const taken: PortRange[] = SOCKETS.flatMap((file) => boundPorts(read(file)).map((port): PortRange => [port, port]));
  const [first, last] = read(CLIENT_RANGE).trim().split(/\s+/).map(Number);
  if (first && last) taken.push([first, last]);
  return taken.reduce<PortRange[]>((left, range) => left.flatMap((one) => subtract(one, range)), [...ranges]);
}

/** Local ports of `/proc/net/tcp` and its kin: the second column, address and port in hex. */
function boundPorts(table: string): number[] {
  const lines = table.split("\n").slice(1);
  const ports = lines.map((line) => Number.parseInt(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(line)?.[1] ?? "", 16));
  return [...new Set(ports.filter((port) => port > 0))];
}

function subtract([first, last]: PortRange, [from, to]: PortRange): PortRange[] {
  if (to < first || from > last) return [[first, last]];
  const parts: PortRange[] = [
    [first, from - 1],
    [to + 1, last],
  ];
  return parts.filter(([low, high]) => low <= high);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** The commands that show what the running process says: its JSON as it is, or as tables for people. */
import type { FlowStatus } from "../agent/flow-list.ts";
import type { GatewayStatus, ServiceStatus } from "../agent/status.ts";
import { ask } from "../api/client.ts";
import type { PeerStatus, RouteSpec } from "../bgp/speaker-spec.ts";
import { formatProblem, type Severity } from "../intent/problem.ts";
import { textTable, wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

export async function showFromProcess<T>(
  socket: string,
  path: string,
  output: "table" | "json",
  table: (answer: T) => string,
): Promise<string> {
  const answer = await ask<T>(socket, path);
  return output === "json" ? `${JSON.stringify(answer, null, 2)}\n` : table(answer);
}

export function statusTable(status: GatewayStatus): string {
  const { datapath, config } = status;
  const { totals, flows } = datapath;
  const dead = datapath.workers.filter(({ alive }) => !alive).length;
  const stalled = datapath.workers.filter(({ stalledSeconds }) => stalledSeconds > 0).length;
  const sections = [
    [
      `node ${status.node}, up ${duration(status.uptimeSeconds)}; ${datapath.mode} datapath, epoch ${datapath.epoch}; ` +
        `${datapath.workers.length} worker${datapath.workers.length === 1 ? "" : "s"}${dead > 0 ? `, ${dead} DEAD` : ""}` +
        (stalled > 0 ? `, ${stalled} STALLED` : ""),
      ...wrapText(
        `frames at the workers: ${totals.received} in, ${totals.transmitted} forwarded, ${totals.replied} answered, ` +
          `${totals.dropped} dropped, ${totals.passed} not ours`,
        LINE_WIDTH,
      ),
      forwardedByKernel(status),
      ...wrapText(
        `new flows: opened by the ${datapath.opening.by} since ${datapath.opening.since} (${datapath.opening.why})`,
        LINE_WIDTH,
      ),
      ...(datapath.synCookies.on
        ? wrapText(
            `SYN cookies: on since ${datapath.synCookies.since}, asked for by ${datapath.synCookies.askedBy.join(", ")}; ` +
              `${datapath.xdp.challenge} questions, ${datapath.xdp.proven} answers`,
            LINE_WIDTH,
          )
        : []),
      ...(status.drain === "serving"
        ? []
        : [`drained: the routes are ${status.drain}; \`sluice undrain\` takes it back`]),
      `flows: ${flows.live} live, ${flows.opened} opened, ${flows.ended} ended, room for ${flows.rows / 2}`,
    ],
    section(
      ["PORT", "KIND", "ATTACHED", "QUEUES"],
      datapath.ports.map((port) => [port.name, port.kind, port.mode, String(port.queues)]),
    ),
    section(
      ["SERVICE", "VIP", "BACKENDS", "FLOWS", "IN", "OUT"],
      status.services.map((service) => [
        service.service,
        service.vip,
        withDraining(service.backends.length === 0 ? "" : String(service.backends.length), service),
        String(service.flowsOpened),
        bytes(service.requestBytes),
        bytes(service.replyBytes),
      ]),
    ),
    section(
      ["NOT FORWARDED BECAUSE", "FRAMES", "CAME IN BY"],
      Object.entries(datapath.reasons).map(([reason, count]) => [reason, String(count), cameInBy(status, reason)]),
    ),
    peersTable(status.bgp).trimEnd().split("\n"),
    datapath.offloads.problems.flatMap(({ severity, message }) => wrapText(`${severity}: ${message}`, LINE_WIDTH)),
    config.problems.flatMap((problem) =>
      wrapText(
        `${problem.severity}: ${formatProblem({ ...problem, severity: problem.severity as Severity })}`,
        LINE_WIDTH,
      ),
    ),
  ];
  return `${sections
    .filter((lines) => lines.length > 0 && lines[0] !== "")
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function forwardedByKernel({ datapath: { xdp, totals } }: GatewayStatus): string {
  const byKernel = xdp.forward + xdp.egressForward;
  const all = byKernel + totals.transmitted;
  return `forwarded by the kernel: ${byKernel}${all === 0 ? "" : `, ${Math.round((100 * byKernel) / all)} % of all`}`;
}

/** `2`, `2, 1 draining`, `none, 1 draining` */
function withDraining(backends: string, { draining }: ServiceStatus): string {
  return `${backends || "none"}${draining.length === 0 ? "" : `, ${draining.length} draining`}`;
}

/** `eth0 5, sl1 2` */
function cameInBy({ datapath }: GatewayStatus, reason: string): string {
  return datapath.ports
    .filter(({ reasons }) => reasons[reason] !== undefined)
    .map(({ name, reasons }) => `${name} ${reasons[reason]}`)
    .join(", ");
}

export function servicesTable(services: readonly ServiceStatus[]): string {
  if (services.length === 0) return "no Service is served here\n";
  const rows = services.map((service) => [
    service.service,
    service.vip,
    withDraining(service.backends.join(" "), service),
    String(service.flowsOpened),
    bytes(service.requestBytes),
    bytes(service.replyBytes),
  ]);
  return lines(section(["SERVICE", "VIP", "BACKENDS", "FLOWS", "IN", "OUT"], rows));
}

export function flowsTable(flows: readonly FlowStatus[]): string {
  if (flows.length === 0) return "no live flows\n";
  const rows = flows.map((flow) => [
    flow.protocol,
    flow.client,
    flow.vip,
    flow.backend,
    flow.state,
    flow.forwardedBy,
    `${flow.idleSeconds}s`,
    bytes(flow.requestBytes),
    bytes(flow.replyBytes),
  ]);
  return lines(section(["PROTO", "CLIENT", "VIP", "BACKEND", "STATE", "BY", "IDLE", "IN", "OUT"], rows));
}

export function peersTable(peers: readonly PeerStatus[]): string {
  if (peers.length === 0) return "no BGP sessions are configured\n";
  const rows = peers.map((peer) => [
    peer.name,
    peer.address,
    String(peer.asn),
    peer.state,
    peer.establishedAtMilliseconds === null
      ? ""
      : duration(Math.floor((Date.now() - peer.establishedAtMilliseconds) / 1000)),
    String(peer.routesAdvertised),
    String(peer.routesReceived),
    peer.lastError ?? "",
  ]);
  const table = section(["PEER", "ADDRESS", "AS", "STATE", "UP", "SENT", "RECEIVED", "LAST ERROR"], rows);
  const remedies = peers.flatMap(({ name, lastError, hint }) =>
    hint === null ? [] : wrapText(`${name}: ${lastError}. Hint: ${hint}`, LINE_WIDTH),
  );
  return lines([...table, ...remedies]);
}

export function advertisedTable(routes: readonly RouteSpec[]): string {
  if (routes.length === 0) return "no routes are advertised to this peer\n";
  const rows = routes.map((route) => [
    route.prefix,
    route.nextHop,
    route.asPath.join(" "),
    [...route.communities, ...route.largeCommunities].join(" "),
  ]);
  return lines(section(["PREFIX", "NEXT HOP", "AS PATH", "COMMUNITIES"], rows));
}

function section(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : textTable(heading, rows, LINE_WIDTH);
}

function lines(text: readonly string[]): string {
  return `${text.join("\n")}\n`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function bytes(count: number): string {
  if (count < 10_000) return `${count} B`;
  if (count < 10_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return count < 10_000_000_000 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

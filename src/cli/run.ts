/**
 * `sluice run`: starts the gateway and its API, and serves until SIGTERM or SIGINT. Logs are JSON lines on standard
 * error.
 */
import { multistream, pino } from "pino";
import { loadFleetKey } from "../agent/cluster-secret.ts";
import { flowList } from "../agent/flow-list.ts";
import { Gateway } from "../agent/gateway.ts";
import { metricsText } from "../agent/metrics.ts";
import { overviewOf } from "../agent/overview.ts";
import { explainPacketAt } from "../agent/packet-fate.ts";
import type { RunOptions } from "../agent/run-options.ts";
import { drainReport, gatewayStatus } from "../agent/status.ts";
import { Timeline } from "../agent/timeline.ts";
import { ApiServer } from "../api/server.ts";
import { Fleet } from "../fleet/fleet.ts";
import { FleetDoor } from "../fleet/fleet-door.ts";
import { announcersOf, reportOf } from "../fleet/node-report.ts";
import { dropStartCapabilities } from "../xdp/capabilities.ts";

export async function runCommand(options: RunOptions): Promise<void> {
  const timeline = new Timeline();
  const streams = multistream([{ stream: pino.destination({ fd: 2, sync: true }) }, { stream: timeline }]);
  const log = pino({ base: { node: options.node } }, streams);
  let gateway: Gateway | null = null;
  const running = (): Gateway => {
    if (gateway === null) throw new Error("the gateway is still starting");
    return gateway;
  };
  const { node, fleetPort } = options;
  const others = fleetPort == null ? null : { key: loadFleetKey(options.clusterSecret!), port: fleetPort };
  const report = () => reportOf(running());
  const fleet = new Fleet({
    ...{ self: node, report, others },
    nodes: () => running().nodes,
    announcers: () => announcersOf(running()),
  });
  const door = others === null ? null : new FleetDoor(others.key, report);
  const api = new ApiServer({
    status: () => gatewayStatus(running()),
    services: async () => (await gatewayStatus(running())).services,
    flows: (limit) => flowList(running(), limit),
    tryPlan: (text, mode) => running().tryPlan(text, mode),
    policies: () => running().datapath.policies.status(),
    explainService: (name) => running().explainService(name),
    explainPacket: (packet) => explainPacketAt(running().datapath, packet),
    bgp: () => running().speaker,
    l2: () => running().links,
    frames: () => running().frames,
    watch: { timeline, overview: () => overviewOf(running()), fleet: () => fleet.status() },
    drainProgress: () => drainReport(running()),
    drain: (graceSeconds) => running().drain(graceSeconds),
    undrain: () => running().undrain(),
    metrics: () => metricsText(running()),
    // Who is drained takes no part: the others then spare the pods of this node before it ends.
    ready: () => gateway?.plan != null && gateway.announcer.drainState !== "withdrawn",
  });
  // Before anything is touched: the socket also tells whether a gateway already runs here.
  await api.listenUnix(options.socket);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  try {
    if (options.http !== null) await api.listenTcp(options.http, options.httpSecrets);
    if (options.metrics) await api.listenForMetrics(options.metrics);
    if (others !== null) await door?.listen(others.port);
    gateway = await Gateway.start(options, log);
    dropStartCapabilities();
    log.info({ signal: await stopped }, "stopping");
  } finally {
    await gateway?.stop();
    await door?.close();
    await api.close();
  }
}

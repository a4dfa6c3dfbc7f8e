/** The gateway's Prometheus metrics, collected when they are asked for. */
import { Counter, Gauge, Registry } from "prom-client";
import type { SessionState } from "../bgp/speaker-spec.ts";
import { VIP_COUNTERS } from "../dataplane/counters.ts";
import type { Gateway } from "./gateway.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { gatewayStatus } from "./status.ts";

const ESTABLISHED: SessionState = "Established";

/** @returns the registry's text in the Prometheus exposition format. */
export async function metricsText(gateway: Gateway): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  // The registry lives for one answer, so a counter takes its whole value at once.
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const status = await gatewayStatus(gateway);

  const frames = counter("sluice_frames_total", "Frames by what became of them", ["verdict"]);
  for (const verdict of ["received", "transmitted", "replied", "passed", "dropped"] as const) {
    frames.inc({ verdict }, status.datapath.totals[verdict]);
  }
  const byReason = "Frames dropped or passed, by reason and the port that they came in by";
  const reasons = counter("sluice_frames_not_forwarded_total", byReason, ["reason", "port"]);
  for (const { name: port, reasons: ofPort } of status.datapath.ports) {
    for (const [reason, count] of Object.entries(ofPort)) reasons.inc({ reason, port }, count);
  }
  gauge("sluice_flow_table_entries", "Live flows").set(status.datapath.flows.live);
  gauge("sluice_flow_table_rows", "Rows of the flow table; a flow takes two").set(status.datapath.flows.rows);
  counter("sluice_flows_evicted_total", "Unanswered flows that ended early to make room").inc(
    status.datapath.totals.flowsEvicted,
  );
  counter("sluice_flows_opened_total", "Flows opened").inc(status.datapath.flows.opened);
  gauge("sluice_forwarding_epoch", "Epoch of the forwarding table in force").set(status.datapath.epoch);
  const workers = gauge("sluice_worker_up", "Whether a datapath worker runs", ["worker"]);
  const stalled = gauge("sluice_worker_stalled_seconds", "For how long a worker's thread has not run", ["worker"]);
  for (const [worker, { alive, stalledSeconds }] of status.datapath.workers.entries()) {
    workers.set({ worker: String(worker) }, alive ? 1 : 0);
    stalled.set({ worker: String(worker) }, stalledSeconds);
  }
  gauge("sluice_new_flows_by_kernel", "Whether the kernel opens new flows in the workers' place").set(
    status.datapath.opening.by === "kernel" ? 1 : 0,
  );
  gauge("sluice_syn_cookies", "Whether the kernel asks who sends a SYN for proof first").set(
    status.datapath.synCookies.on ? 1 : 0,
  );
  const takeovers = counter("sluice_new_flow_takeovers_total", "Times that the kernel began to open flows", ["why"]);
  for (const [why, count] of Object.entries(status.datapath.opening.takeovers)) takeovers.inc({ why }, count);
  const xdp = counter("sluice_xdp_frames_total", "Frames by what the BPF programs did with them", ["outcome"]);
  for (const [outcome, count] of Object.entries(status.datapath.xdp)) xdp.inc({ outcome }, count);

  const services = counter("sluice_service_traffic_total", "Frames and bytes of a Service's VIP", [
    "service",
    "vip",
    "what",
  ]);
  for (const service of status.services) {
    for (const what of VIP_COUNTERS) services.inc({ service: service.service, vip: service.vip, what }, service[what]);
  }
  const sessions = gauge("sluice_bgp_session_up", "Whether a BGP session is Established", ["peer", "asn"]);
  const routes = gauge("sluice_bgp_routes_advertised", "Routes advertised to a peer", ["peer", "asn"]);
  const received = gauge("sluice_bgp_routes_received", "Routes received from a peer", ["peer", "asn"]);
  const established = counter("sluice_bgp_session_established_total", "Times that a session came up", ["peer", "asn"]);
  const messages = counter("sluice_bgp_messages_total", "BGP messages", ["peer", "asn", "direction"]);
  const bfd = gauge("sluice_bfd_session_up", "Whether BFD hears the peer, where it is configured", ["peer", "asn"]);
  for (const peer of status.bgp) {
    const labels = { peer: peer.name, asn: String(peer.asn) };
    sessions.set(labels, peer.state === ESTABLISHED ? 1 : 0);
    routes.set(labels, peer.routesAdvertised);
    received.set(labels, peer.routesReceived);
    established.inc(labels, peer.timesEstablished);
    messages.inc({ ...labels, direction: "sent" }, peer.messagesSent);
    messages.inc({ ...labels, direction: "received" }, peer.messagesReceived);
    if (peer.bfd !== null) bfd.set(labels, peer.bfd === "Up" ? 1 : 0);
  }
  const answers = counter("sluice_policy_answers_total", "Answers of a policy about new flows", ["policy", "answer"]);
  const ends = counter("sluice_policy_flow_ends_total", "Ends of flows that a policy was told of", ["policy"]);
  const errors = counter("sluice_policy_errors_total", "Hooks of a policy that failed", ["policy"]);
  const up = gauge("sluice_policy_up", "Whether a policy is asked: 0 when not loaded or switched off", ["policy"]);
  const overBudget = counter("sluice_policy_over_budget_total", "Calls that took too long (1 flow in 128 is timed)", [
    "policy",
  ]);
  const cookies = gauge("sluice_policy_wants_syn_cookies", "Whether a policy asks for SYN cookies", ["policy"]);
  const limit = gauge(
    "sluice_policy_source_limit",
    "New flows of a source in a second that it asks for; 0 for no limit",
    ["policy"],
  );
  for (const { name: policy, version, stats, asks } of gateway.datapath.policies.status()) {
    answers.inc({ policy, answer: "continue" }, stats.continued);
    answers.inc({ policy, answer: "allow" }, stats.allowed);
    answers.inc({ policy, answer: "deny" }, stats.denied);
    answers.inc({ policy, answer: "backend" }, stats.backendChosen);
    answers.inc({ policy, answer: "service" }, stats.serviceChosen);
    answers.inc({ policy, answer: "mode" }, stats.modeSet);
    answers.inc({ policy, answer: "capture" }, stats.captured);
    ends.inc({ policy }, stats.endsTold);
    errors.inc({ policy }, stats.errors);
    overBudget.inc({ policy }, stats.overBudget);
    cookies.set({ policy }, asks.synCookies ? 1 : 0);
    limit.set({ policy }, asks.sourceLimit);
    up.set({ policy }, version !== null && stats.off === 0 ? 1 : 0);
  }
  gauge("sluice_drained", "Whether the node is drained: its routes marked or withdrawn").set(
    status.drain === "serving" ? 0 : 1,
  );
  gauge("sluice_config_problems", "Errors and warnings in the configuration").set(status.config.problems.length);
  poolMetrics(gateway, gauge);
  await l2Metrics(gateway, gauge, counter);
  const kept = [gateway.links.metrics.registry, gateway.convergence.registry];
  addProcessMetrics(registry);
  return (await Promise.all([registry, ...kept].map((one) => one.metrics()))).join("\n");
}

type MakeGauge = (name: string, help: string, labelNames?: string[]) => Gauge;
type MakeCounter = (name: string, help: string, labelNames?: string[]) => Counter;

function poolMetrics({ plan }: Gateway, gauge: MakeGauge): void {
  const addresses = gauge("sluice_pool_addresses", "Addresses of a pool, used and available", ["pool", "state"]);
  const conflicts = gauge("sluice_pool_conflict", "Whether a pool overlaps another one", ["pool"]);
  for (const [pool, { used, available, conflict }] of Object.entries(plan?.pools ?? {})) {
    addresses.set({ pool, state: "used" }, Number(used));
    addresses.set({ pool, state: "available" }, Number(available));
    conflicts.set({ pool }, conflict ? 1 : 0);
  }
  const services = Object.values(plan?.services ?? {});
  gauge("sluice_services_without_address", "Services that wait for an address, or were refused one").set(
    services.filter(({ ingress, conditions }) => ingress.length === 0 && conditions.length > 0).length,
  );
}

async function l2Metrics({ links }: Gateway, gauge: MakeGauge, counter: MakeCounter): Promise<void> {
  const status = await links.status();
  const owner = gauge("sluice_l2_owner", "Which node owns an address, as this node sees it", ["address", "owner"]);
  const unseen = gauge("sluice_l2_unseen", "Whether a node asked for the address on the link in vain", ["address"]);
  for (const { address, owner: node, unseenBy } of status.owners) {
    if (node !== null) owner.set({ address, owner: node }, 1);
    unseen.set({ address }, unseenBy === null ? 0 : 1);
  }
  const ownerless = status.owners.filter((one) => one.owner === null).length;
  gauge("sluice_l2_addresses_without_owner", "Addresses that nobody answers for").set(ownerless);
  const alive = gauge("sluice_l2_member_up", "Whether heartbeats of a node are heard", ["member"]);
  for (const { node: member, alive: isAlive } of status.members) alive.set({ member }, isAlive ? 1 : 0);
  counter("sluice_l2_announcements_total", "Announcements sent").inc(status.announcementsSent);
  const heartbeats = counter("sluice_l2_heartbeats_total", "Heartbeats", ["what"]);
  heartbeats.inc({ what: "sent" }, status.heartbeatsSent);
  heartbeats.inc({ what: "received" }, status.heartbeatsReceived);
  heartbeats.inc({ what: "refused" }, status.heartbeatsRefused);
  heartbeats.inc({ what: "unsent" }, status.heartbeatsUnsent);
}

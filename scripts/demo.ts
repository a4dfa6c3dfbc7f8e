/**
 * `npm run demo [-- --keep]`: a curl from outside reaches a pod through Sluice, in network namespaces of this machine.
 *
 * The network is test/lab/seed-a.ts; its opening comment draws it. Every claim is checked against somebody else's view:
 * the route by the router, the UPDATE and the packets by tcpdump, the client's address by the pod's own log. With
 * `--keep` everything stays up until Ctrl-C.
 */
import { existsSync } from "node:fs";
import { Capture } from "../test/lab/capture.ts";
import { Configuration } from "../test/lab/configuration.ts";
import { curl } from "../test/lab/curl.ts";
import { decodeBgp, Gateway } from "../test/lab/gateway.ts";
import { Lab } from "../test/lab/lab.ts";
import { bgpMessagesFrom, type TcpSegment } from "../test/lab/pcap.ts";
import { CLIENT_ADDRESS, isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../test/lab/seed-a.ts";
import { waitFor } from "../test/lab/wait-for.ts";
import { build } from "./build.ts";
import { DemoReport } from "./demo-report.ts";

const PREFIX = "sld";
const CURLS = 20;
const URL = `http://${VIP}/`;

interface Captures {
  /** The link between router and node: what the outside sees. */
  readonly outside: Capture;
  /** In front of each pod, in the order of the pods. */
  readonly inside: readonly Capture[];
}

async function demo(keep: boolean): Promise<boolean> {
  const startedAt = performance.now();
  await build();
  const report = new DemoReport();
  const lab = new Lab(PREFIX);
  try {
    const network = await seedA(lab);
    const configuration = new Configuration(lab, "seed-a");
    const captures = await startCaptures(lab, network);
    showNetwork(report);
    const gateway = await withoutBgp(report, lab, network, configuration);
    await withBgp(report, network, configuration);
    showUpdate(report, captures);
    curls(report, network);
    showPackets(report, network, captures);
    showGateway(report, network, gateway);
    if (keep) await stayUp(network, gateway);
    await stop(report, network, gateway);
  } finally {
    lab.close();
  }
  report.check("no namespace of the demo is left", !existsSync(`/run/netns/${PREFIX}-node1`));
  return report.finish((performance.now() - startedAt) / 1000);
}

async function startCaptures(lab: Lab, { router, pods }: SeedA): Promise<Captures> {
  const [outside, ...inside] = await Promise.all([
    Capture.start(lab, router, "to-node", "tcp"),
    ...pods.map((pod) => Capture.start(lab, pod.namespace, "eth0", "tcp")),
  ]);
  return { outside: outside!, inside };
}

function showNetwork(report: DemoReport): void {
  report.section("The network");
  report.show(
    [
      "client ----------- router ------------ node1 ------------- pod1 10.2.3.5:80",
      "203.0.113.10       FRR, AS 65001       Sluice, AS 65000 -- pod2 10.2.3.6:80",
      "                   192.168.1.1         10.1.1.2",
      `VIP ${VIP}:80 is an address of none of them.`,
    ].join("\n"),
  );
}

async function withoutBgp(
  report: DemoReport,
  lab: Lab,
  network: SeedA,
  configuration: Configuration,
): Promise<Gateway> {
  report.section('Sluice starts; the ConfigMap says enable-bgp-control-plane: "false"');
  configuration.setBgp(false);
  const gateway = await Gateway.start(lab, network.node, {
    configuration: configuration.folder,
    node: "node1",
    uplink: "net0",
  });
  const state = network.frr.sessionState(NODE_ADDRESS);
  report.check("the router has no session with the node", state !== null && state !== "Established", state);
  report.check("the router has no route to the VIP", network.frr.paths(`${VIP}/32`).length === 0);
  report.check(
    "a curl from the client is not answered",
    curl(network.client, URL, { timeoutSeconds: 1 }).exitCode !== 0,
  );
  return gateway;
}

async function withBgp(report: DemoReport, network: SeedA, configuration: Configuration): Promise<void> {
  const { router, frr } = network;
  report.section('The ConfigMap is edited: enable-bgp-control-plane: "true"');
  const editedAt = performance.now();
  configuration.setBgp(true);
  await waitFor("a route to the VIP on the router", () => isVipRouted(network), {
    timeoutSeconds: 30,
    seen: () => frr.sessionState(NODE_ADDRESS),
  });
  const [path] = frr.paths(`${VIP}/32`);
  const seconds = ((performance.now() - editedAt) / 1000).toFixed(1);
  report.check(`the router has a session and a route ${seconds} s later`, true);
  report.command("router", `vtysh -c 'show bgp ipv4 unicast ${VIP}/32'`, frr.vtysh(`show bgp ipv4 unicast ${VIP}/32`));
  report.command("router", `ip route show ${VIP}`, router.run(["ip", "route", "show", VIP]));
  report.check(`the route goes to ${NODE_ADDRESS}`, path?.nextHop === NODE_ADDRESS, path);
}

function showUpdate(report: DemoReport, { outside }: Captures): void {
  report.section("The UPDATE, captured on the router and read by sluice bgp decode");
  const messages = decodeBgp(bgpMessagesFrom(NODE_ADDRESS, outside.frames()));
  const update = messages.find((message) => nlriOf(message).length > 0);
  for (const [field, value] of Object.entries(update ?? {}))
    report.show(`${field.padEnd(10)} ${JSON.stringify(value)}`);
  const attributes = (update?.["attributes"] ?? {}) as Record<string, unknown>;
  report.check(`NLRI is ${VIP}/32`, update !== undefined && nlriOf(update).join() === `${VIP}/32`, update);
  report.check(`NEXT_HOP is ${NODE_ADDRESS}`, attributes["nextHop"] === NODE_ADDRESS, attributes);
  report.check("AS_PATH is 65000", JSON.stringify(attributes["asPath"]) === "[65000]", attributes);
}

function nlriOf(message: Record<string, unknown>): string[] {
  return (message["nlri"] ?? []) as string[];
}

function curls(report: DemoReport, { client, pods }: SeedA): void {
  report.section(`${CURLS} curls from the client`);
  const answers = Array.from({ length: CURLS }, () => curl(client, URL));
  report.show(
    answers
      .map((answer) => answer.body || answer.error)
      .join(" ")
      .replace(/(.{1,90})(\s|$)/g, "$1\n"),
  );
  const answered = answers.filter((answer) => answer.exitCode === 0).length;
  report.check(
    `${answered} of ${CURLS} are answered`,
    answered === CURLS,
    answers.find((answer) => answer.error)?.error,
  );
  for (const pod of pods) {
    const count = answers.filter((answer) => answer.body === pod.name).length;
    report.check(`${pod.name} answered ${count}`, count > 0);
  }
  for (const pod of pods) {
    const requests = pod.requests();
    report.show(`${pod.name}'s log: ${JSON.stringify(requests[0])} …`);
    const real = requests.length > 0 && requests.every((request) => request.client === CLIENT_ADDRESS);
    report.check(`${pod.name} saw the client's own address in all ${requests.length} requests`, real, requests);
  }
}

/** The first connection to pod1, as the router and as the pod saw it. */
function showPackets(report: DemoReport, { pods }: SeedA, { outside, inside }: Captures): void {
  report.section("One connection, before and after: captured on the router's link and in front of the pod");
  const pod = pods[0]!;
  const after = inside[0]!.segments();
  const request = after.find((segment) => segment.destinationPort === 80 && segment.syn && !segment.ack);
  const reply = after.find((segment) => segment.sourcePort === 80 && segment.syn && segment.ack);
  const seen = outside.segments();
  const requestBefore = seen.find((segment) => request !== undefined && sameConnection(segment, request));
  const replyAfter = seen.find((segment) => reply !== undefined && sameConnection(segment, reply));
  const rows: [string, TcpSegment | undefined][] = [
    ["request, router's link", requestBefore],
    [`request, at ${pod.name}`, request],
    [`reply,   at ${pod.name}`, reply],
    ["reply,   router's link", replyAfter],
  ];
  for (const [where, segment] of rows)
    report.show(`${where.padEnd(24)} ${segment ? describe(segment) : "not captured"}`);
  report.check(
    "DNAT: only the destination changed",
    requestBefore?.destination === VIP && request?.destination === pod.address,
  );
  report.check(
    "SNAT: the reply's source is the VIP again",
    reply?.source === pod.address && replyAfter?.source === VIP,
  );
}

/** The client's half of the connection and the sequence number stay as they are on the way through. */
function sameConnection(a: TcpSegment, b: TcpSegment): boolean {
  if (a.sequence !== b.sequence || a.syn !== b.syn || a.ack !== b.ack) return false;
  return a.sourcePort === b.sourcePort && a.destinationPort === b.destinationPort;
}

function describe(segment: TcpSegment): string {
  const from = `${segment.source}:${segment.sourcePort}`;
  const to = `${segment.destination}:${segment.destinationPort}`;
  return `${from.padEnd(20)} -> ${to.padEnd(20)} ${segment.ack ? "SYN,ACK" : "SYN    "} ttl ${segment.ttl}`;
}

function showGateway(report: DemoReport, { node }: SeedA, gateway: Gateway): void {
  report.section("What Sluice says of itself");
  report.command("node1", "sluice status", gateway.ask("status"), 40);
  report.command("node1", "sluice flows", gateway.ask("flows"), 8);
  const rules = node.run(["nft", "list", "ruleset"]).trim();
  report.check("nft list ruleset is empty on the node: no netfilter rule takes part", rules === "", rules);
}

async function stop(report: DemoReport, { node, frr }: SeedA, gateway: Gateway): Promise<void> {
  report.section("Sluice is stopped");
  const exit = await gateway.stop();
  report.check("it ends by itself with exit code 0", exit.code === 0, exit);
  await waitFor("the route to go", () => frr.paths(`${VIP}/32`).length === 0).then(
    () => report.check("the router has no route to the VIP any more", true),
    () => report.check("the router has no route to the VIP any more", false, frr.paths(`${VIP}/32`)),
  );
  const links = node.run(["ip", "-d", "link", "show"]);
  report.check("no XDP program and no interface of Sluice is left", !/prog\/xdp|\bsl[01]\b/.test(links), links);
}

/** Until Ctrl-C, which closes the lab. */
async function stayUp({ client, router, node, frr }: SeedA, gateway: Gateway): Promise<never> {
  const quoted = (words: readonly string[]) =>
    words.map((word) => (/^[\w./=:-]+$/.test(word) ? word : `'${word}'`)).join(" ");
  const lines = [
    ["a request from the client", quoted(client.entered(["curl", URL]))],
    ["the router's sessions", quoted(frr.vtyshCommand("show bgp summary"))],
    ["the router's routes", quoted(router.entered(["ip", "route"]))],
    ["a shell on the node", quoted(node.entered(["bash"]))],
    ["what Sluice does", `bin/sluice status --socket ${gateway.socket}`],
    ["its flows", `bin/sluice flows --socket ${gateway.socket}`],
  ];
  process.stdout.write("\nEverything stays up until Ctrl-C. To look around:\n");
  for (const [what, command] of lines) process.stdout.write(`   # ${what}\n   ${command}\n`);
  return new Promise(() => setInterval(() => {}, 1 << 30));
}

const args = process.argv.slice(2);
try {
  const unknown = args.find((arg) => arg !== "--keep");
  if (unknown !== undefined) throw new Error(`unknown option ${unknown}; there is --keep`);
  if (!(await demo(args.includes("--keep")))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`demo: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

/**
 * What clients of the leaf-spine network feel when parts of it fail, are taken out, or change, while wrk runs: requests
 * lost and the longest gap, on new connections and on ones that stay. Direct server return, so that any node may go on
 * with a connection that another began.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { urlOf } from "../../lab/both-families.ts";
import type { Router } from "../../lab/router.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { type LoadResult, lost, Wrk } from "../../lab/wrk.ts";
import type { DocumentLab, Stop } from "../document-lab.ts";
import { ClusterOnLeafSpine } from "../leaf-spine/cluster-on-leaf-spine.ts";
import { ciliumConfig } from "../leaf-spine/l2-stops.ts";
import { nameOf, type Tour } from "../tour.ts";

const ADDRESS = "20.0.0.100";
const PATIENCE = { timeoutSeconds: 60 };
/** How long the load runs before and after an event. */
const QUIET_MILLISECONDS = 2_000;
/** Between the end of a process and the next, as a kubelet's. */
const RESTART_MILLISECONDS = 1_000;

/** Who waits for longer has gone: a pause of this length counts as a loss. */
const IMPATIENT_MILLISECONDS = 2_000;

interface Event {
  readonly claim: string;
  readonly title: string;
  readonly why: string;
  /** Whether it must cost nothing. What it costs is measured in any case. */
  readonly free: boolean;
  readonly replicas?: number;
  /** @returns what was done, in a line. */
  happen(lab: ClusterOnLeafSpine): Promise<string>;
}

const EVENTS: readonly Event[] = [
  {
    claim: "quiet",
    title: "Nothing happens",
    why: "What the load itself loses.",
    free: true,
    async happen() {
      await sleep(QUIET_MILLISECONDS);
      return "nothing";
    },
  },
  {
    claim: "scale",
    title: "Pods are scaled from 1 to 10 and back",
    why: "A pod that ends serves on for two seconds, until all nodes have heard, and asks its clients to leave.",
    free: true,
    replicas: 1,
    async happen({ cluster }) {
      for (const replicas of [10, 1]) {
        cluster.server.kubectl("scale", "deployment", "nginx-deployment", `--replicas=${replicas}`);
        await cluster.untilPods(replicas);
        await sleep(QUIET_MILLISECONDS);
      }
      return "1 -> 10 -> 1 pods";
    },
  },
  {
    claim: "kill",
    title: "The process of the node that takes the traffic is killed",
    why: "SIGKILL; a second later it is started again, as a kubelet does it.",
    free: false,
    async happen(lab) {
      const node = takingNode(lab);
      await lab.cluster.gateway(node).stop("SIGKILL");
      lab.cluster.tellGateway(node, false);
      await sleep(RESTART_MILLISECONDS);
      await lab.cluster.startSluice(node);
      await untilAnnounced(lab, node);
      lab.cluster.tellGateway(node, true);
      return `${node} killed and started again`;
    },
  },
  {
    claim: "link",
    title: "The link that the traffic takes is cut",
    why: "Between the spine and the leaf; then it is mended.",
    free: false,
    async happen(lab) {
      const { spine02 } = lab.network;
      const { device } = lab.route(spine02, `${ADDRESS}/32`)!.ways[0]!;
      spine02.namespace.ip(`link set ${device} down`);
      await sleep(5_000);
      spine02.namespace.ip(`link set ${device} up`);
      await sleep(5_000);
      return `spine02's ${device} down and up`;
    },
  },
  {
    claim: "router",
    title: "A spine is stopped",
    why: "The one that no client is behind: what goes from rack to rack takes the other. Then it starts again.",
    free: false,
    async happen({ network }) {
      await stopAndStart(network.spine01, 2);
      return "spine01 stopped and started";
    },
  },
  {
    claim: "leaf",
    title: "The leaf that the traffic takes is stopped",
    why: "Its rack is cut off with the pods in it, which Kubernetes takes for ready: connections to them wait.",
    free: false,
    async happen(lab) {
      const leaf = takingLeaf(lab);
      await stopAndStart(leaf, 4);
      return `${nameOf(leaf.namespace)} stopped and started`;
    },
  },
  {
    claim: "drain",
    title: "The node that takes the traffic is drained, with its pods",
    why: "sluice drain, then the pods are evicted, as kubectl drain does it; then it takes part again.",
    free: true,
    async happen(lab) {
      const { cluster } = lab;
      const node = takingNode(lab);
      cluster.gateway(node).ask("drain", "--grace", "1");
      const pods = cluster.pods().filter((pod) => pod.node === node);
      cluster.setSchedulable(node, false);
      for (const { name } of pods) cluster.server.kubectl("delete", "pod", name, "--wait=false");
      const moved = () => cluster.pods().length === 5 && cluster.pods().every((pod) => pod.node !== node);
      await waitFor("the pods to move", moved, PATIENCE);
      await sleep(QUIET_MILLISECONDS);
      cluster.setSchedulable(node, true);
      cluster.gateway(node).ask("undrain");
      return `${node}: routes withdrawn, ${pods.length} pods moved, and back`;
    },
  },
  {
    claim: "upgrade",
    title: "All four processes are replaced, one after the other",
    why: "As a DaemonSet rolls: drain, SIGTERM, the next process; the pods stay where they are.",
    free: true,
    async happen(lab) {
      for (const { name } of lab.network.nodes) {
        lab.cluster.gateway(name).ask("drain", "--grace", "1");
        // Connections that stay have come by another node before this one's pods are spared, and new ones know it.
        await sleep(QUIET_MILLISECONDS);
        lab.cluster.tellGateway(name, false);
        await sleep(QUIET_MILLISECONDS);
        await lab.cluster.gateway(name).stop();
        await lab.cluster.startSluice(name);
        await untilAnnounced(lab, name);
        lab.cluster.tellGateway(name, true);
        // The DaemonSet's minReadySeconds.
        await sleep(QUIET_MILLISECONDS);
      }
      return "four processes ended and started";
    },
  },
];

/** @param sessions that it has when all is well again. */
async function stopAndStart(router: Router, sessions: number): Promise<void> {
  await router.stop();
  await sleep(5_000);
  await router.start();
  await waitFor("the router's sessions", () => router.established().length >= sessions, PATIENCE);
}

/** The node that the client's routers send to: the leaf of the spine's choice, and its choice. */
function takingNode(lab: ClusterOnLeafSpine): string {
  const leaf = takingLeaf(lab);
  const [address] = lab.wayOf(leaf, lab.route(leaf, `${ADDRESS}/32`));
  return lab.network.nodes.find((node) => lab.at(node.address) === address)!.name;
}

function takingLeaf(lab: ClusterOnLeafSpine): Router {
  const { spine02, leaf01, leaf02 } = lab.network;
  const [leaf] = lab.wayOf(spine02, lab.route(spine02, `${ADDRESS}/32`));
  return leaf === "leaf01" ? leaf01 : leaf02;
}

async function untilAnnounced(lab: ClusterOnLeafSpine, node: string): Promise<void> {
  const { rack, address } = lab.network.nodes.find(({ name }) => name === node)!;
  const leaf = rack === "rack0" ? lab.network.leaf01 : lab.network.leaf02;
  const isUp = () => leaf.established().includes(lab.at(address));
  const serves = () => lab.cluster.gateway(node).status().services.length > 0;
  await waitFor(`${node} to take part again`, () => isUp() && serves(), PATIENCE);
}

async function underLoad(tour: Tour, lab: ClusterOnLeafSpine, event: Event): Promise<void> {
  const { cluster, network } = lab;
  const replicas = event.replicas ?? 5;
  cluster.server.kubectl("scale", "deployment", "nginx-deployment", `--replicas=${replicas}`);
  await cluster.untilPods(replicas);
  await waitFor("an answer", () => lab.curls(network.client, lab.at(ADDRESS), 3).bodies.length === 3, PATIENCE);
  const loads = (["new", "kept"] as const).map((kind) => Wrk.start(network.client, urlOf(lab.at(ADDRESS)), kind));
  await sleep(QUIET_MILLISECONDS);
  const what = await event.happen(lab);
  await sleep(QUIET_MILLISECONDS);
  const results = await Promise.all(loads.map((load) => load.stop()));
  const words = loads.map(({ kind }, index) => `${kind} connections: ${resultWords(results[index]!)}`);
  const none = results.every((result) => lost(result) === 0 && result.longestGapMilliseconds < IMPATIENT_MILLISECONDS);
  const sentence = event.free
    ? `${event.title}: no request is lost, none waits for ${IMPATIENT_MILLISECONDS / 1000} s`
    : `${event.title}: the rest goes on`;
  const goesOn = results.every(({ answered }) => answered > 0);
  tour.claim(event.claim, sentence, event.free ? none : goesOn, `${what}; ${words.join("; ")}`);
}

function resultWords(result: LoadResult): string {
  const { answered, longestGapMilliseconds, ...kinds } = result;
  const reasons = Object.entries(kinds).filter(([, count]) => count > 0);
  const why = reasons.length === 0 ? "" : ` (${reasons.map(([reason, count]) => `${reason} ${count}`).join(", ")})`;
  return `${answered} answered, ${lost(result)} lost${why}, longest gap ${longestGapMilliseconds} ms`;
}

const ready: Stop<ClusterOnLeafSpine> = {
  title: "Five pods, one address, announced by all nodes",
  why: "The document's manifests, with direct server return, and graceful restart for the routes to a node's pods.",
  async show(tour, lab) {
    const { server } = lab.cluster;
    server.apply(ciliumConfig({ "enable-bgp-control-plane": "true", "bpf-lb-mode": "dsr" }));
    const policies = withGracefulRestart(lab.cluster.manifest("seed-b/bgp-peering-policies.yaml"));
    tour.show("server", "kubectl apply -f bgp-peering-policies.yaml", server.apply(policies));
    for (const file of ["lb-pool-observed", "nginx"]) lab.apply(tour, `seed-b/${file}.yaml`);
    await lab.untilRouted(lab.network.spine02, `${ADDRESS}/32`);
  },
};

/** The document's peering policies, whose neighbours it leaves without graceful restart. */
function withGracefulRestart(policies: string): string {
  return policies.replaceAll(/( +)peerASN: \d+/g, "$&\n$1gracefulRestart: {enabled: true, restartTimeSeconds: 120}");
}

/** @param only claims of the events that are to happen. Each begins with five pods, whatever has been before. */
export function chaosLab(only: readonly string[] = EVENTS.map(({ claim }) => claim)): DocumentLab<ClusterOnLeafSpine> {
  const events = only.map((name) => {
    const event = EVENTS.find(({ claim }) => claim === name);
    if (event !== undefined) return event;
    throw new Error(`there is no event "${name}": ${EVENTS.map(({ claim }) => claim).join(", ")}`);
  });
  return {
    name: "chaos",
    title: "The leaf-spine network under load, while parts of it fail",
    claims: events.map(({ claim }) => claim),
    stops: [
      ready,
      ...events.map((event) => ({
        title: event.title,
        why: event.why,
        show: (tour: Tour, lab: ClusterOnLeafSpine) => underLoad(tour, lab, event),
      })),
    ],
    build: (options) => ClusterOnLeafSpine.build("slc", options),
  };
}

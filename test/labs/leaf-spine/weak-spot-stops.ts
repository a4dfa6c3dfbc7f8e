/**
 * What the document calls weak about addresses on links, shown as it is here: owners are balanced, a Service with
 * externalTrafficPolicy: Local is answered for where its pods are, and when an owner dies another takes over. Claim B19.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { L2Status } from "../../../src/announcer/announcer-message.ts";
import { ask } from "../../../src/api/client.ts";
import { urlOf } from "../../lab/both-families.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { lost, Wrk } from "../../lab/wrk.ts";
import type { Stop } from "../document-lab.ts";
import type { Tour } from "../tour.ts";
import type { ClusterOnLeafSpine } from "./cluster-on-leaf-spine.ts";
import { L2_ADDRESS } from "./l2-stops.ts";

const PATIENCE = { timeoutSeconds: 30 };
const RACK0 = ["rack0-a", "rack0-b"];
const MORE_SERVICES = 5;
const LOAD_BEFORE_MILLISECONDS = 1_000;
/** On a busy machine; the election that the document speaks of takes 10 to 20 s on any. */
const LONGEST_FAILOVER_MILLISECONDS = 5_000;

/** As a node sees them. */
async function owners(lab: ClusterOnLeafSpine, node: string): Promise<L2Status["owners"]> {
  return (await ask<L2Status>(lab.cluster.gateway(node).socket, "/v1/l2/owners")).owners;
}

async function ownerOfService(lab: ClusterOnLeafSpine, node: string): Promise<string | null> {
  return (await owners(lab, node)).find(({ address }) => address === lab.at(L2_ADDRESS))?.owner ?? null;
}

const balanced: Stop<ClusterOnLeafSpine> = {
  title: "Owners are spread over the nodes",
  why: `The document finds its Leases unevenly spread: they go to whoever comes first. ${MORE_SERVICES} more Services like the first.`,
  async show(tour, lab) {
    const { cluster } = lab;
    // With direct server return, pods of a node whose process is dead would wait for it as well.
    await lab.useForwarding(tour, "snat");
    const one = cluster.manifest("seed-b/nginx-l2.yaml").split("---\n")[1]!;
    for (let number = 2; number <= MORE_SERVICES + 1; number++) {
      cluster.server.apply(one.replace("name: nginx-service", `name: nginx-service-${number}`));
    }
    const owned = async () => (await owners(lab, "rack0-a")).filter(({ state }) => state === "owned");
    const isSpread = (found: readonly L2Status["owners"][number][]) => {
      const [first, second] = RACK0.map((node) => found.filter(({ owner }) => owner === node).length);
      return found.length === MORE_SERVICES + 1 && Math.abs(first! - second!) <= 1;
    };
    // Services that come one by one may go to one node first, and move when the nodes have heard of each other's.
    await waitFor("owners of all, spread", async () => isSpread(await owned()), PATIENCE);
    const all = await owned();
    tour.show("rack0-a", "sluice l2 owners", cluster.gateway("rack0-a").ask("l2", "owners"));
    const counts = RACK0.map((node) => all.filter(({ owner }) => owner === node).length);
    const views = await Promise.all(RACK0.map((node) => ownersText(lab, node)));
    const sameView = views.every((view) => view === views[0]);
    tour.claim(
      "B19",
      "owners differ by one at most, and the nodes agree without a Lease",
      isSpread(all) && sameView,
      `${RACK0.map((node, index) => `${node}: ${counts[index]}`).join(", ")}; the same by both nodes' account`,
    );
  },
};

async function ownersText(lab: ClusterOnLeafSpine, node: string): Promise<string> {
  const lines = (await owners(lab, node)).map(({ address, owner }) => `${address} ${owner}`);
  return lines.sort().join();
}

const localOnly: Stop<ClusterOnLeafSpine> = {
  title: "A Service with externalTrafficPolicy: Local is answered for where its pods are",
  why: "In the document the two don't go together: the address may be answered for where there is no pod. Here the pods leave\nthe node that owns it.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const before = (await ownerOfService(lab, "rack0-a"))!;
    const other = RACK0.find((node) => node !== before)!;
    const patch = '{"spec":{"externalTrafficPolicy":"Local"}}';
    cluster.server.kubectl("patch", "service", "nginx-service", "-p", patch);
    tour.show("server", `kubectl patch service nginx-service -p '${patch}'`, "patched");
    cluster.setSchedulable(before, false);
    for (const { name, node } of cluster.pods()) {
      if (node === before) cluster.server.kubectl("delete", "pod", name, "--wait=false");
    }
    const moved = () => cluster.pods().length === 5 && cluster.pods().every(({ node }) => node !== before);
    await waitFor("the pods to leave", moved, PATIENCE);
    await waitFor("the other node to own it", async () => (await ownerOfService(lab, other)) === other, PATIENCE);
    const asked = () => lab.curls(network.client2, lab.at(L2_ADDRESS), 1).bodies.length === 1;
    await waitFor("an answer", asked, PATIENCE);
    const before20 = new Map(cluster.pods().map(({ name, nginx }) => [name, nginx.clients().length]));
    const { bodies } = lab.curls(network.client2, lab.at(L2_ADDRESS), 20);
    const logged = cluster
      .pods()
      .map(({ name, node, nginx }) => ({ node, seen: nginx.clients().slice(before20.get(name)) }));
    const nodes = [...new Set(logged.filter(({ seen }) => seen.length > 0).map(({ node }) => node))].join();
    const clients = [...new Set(logged.flatMap(({ seen }) => seen))].join();
    tour.show(other, "sluice l2 owners", cluster.gateway(other).ask("l2", "owners"), 8);
    tour.claim(
      "B19",
      "with Local the owner is a node with a pod, which serves alone and sees the client's own address",
      bodies.length === 20 && nodes === other && clients === lab.at("10.0.5.20"),
      `${before} lost its pods, ${other} owns ${lab.at(L2_ADDRESS)}; ${bodies.length} of 20 answered by pods of ${nodes}, which saw ${clients}`,
    );
    cluster.setSchedulable(before, true);
    cluster.server.kubectl("patch", "service", "nginx-service", "-p", patch.replace("Local", "Cluster"));
  },
};

const failover: Stop<ClusterOnLeafSpine> = {
  title: "When the owner dies, another answers",
  why: "SIGKILL to its process, while wrk runs on the client in the rack.",
  async show(tour: Tour, lab) {
    const { cluster, network } = lab;
    const both = async () => {
      const views = await Promise.all(RACK0.map((node) => owners(lab, node)));
      return views.every((view) => view.find(({ address }) => address === lab.at(L2_ADDRESS))?.candidates.length === 2);
    };
    await waitFor("both nodes to be candidates again", both, PATIENCE);
    const before = (await ownerOfService(lab, "rack0-a"))!;
    const other = RACK0.find((node) => node !== before)!;
    const load = Wrk.start(network.client2, urlOf(lab.at(L2_ADDRESS)), "new");
    await sleep(LOAD_BEFORE_MILLISECONDS);
    const killedAt = performance.now();
    await cluster.gateway(before).stop("SIGKILL");
    await waitFor("the other node to own it", async () => (await ownerOfService(lab, other)) === other, PATIENCE);
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    await waitFor("an answer", () => lab.curls(network.client2, lab.at(L2_ADDRESS), 1).bodies.length === 1, PATIENCE);
    const result = await load.stop();
    tour.type(network.client2, `${lab.ip} neigh show ${lab.at(L2_ADDRESS)}`);
    tour.claim(
      "B19",
      `another node answers within ${LONGEST_FAILOVER_MILLISECONDS / 1000} s (the document's election takes 10 to 20)`,
      result.answered > 0 && result.longestGapMilliseconds < LONGEST_FAILOVER_MILLISECONDS,
      `${before} killed, ${other} owns it, seen after ${seconds} s; longest gap ${result.longestGapMilliseconds} ms, ${result.answered} answered, ${lost(result)} lost`,
    );
    await cluster.startSluice(before);
  },
};

export const WEAK_SPOT_STOPS = [balanced, localOnly, failover];

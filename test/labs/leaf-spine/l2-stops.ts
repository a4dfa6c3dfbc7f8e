/**
 * The document's second half: an address on the link of a rack, for which one node answers. Claims B8 to B16, and B19.
 * The address is reached from the rack by ARP or ND, and from anywhere else because the rack's prefix is routed.
 */
import type { Namespace } from "../../lab/namespace.ts";
import { waitFor } from "../../lab/wait-for.ts";
import type { Stop } from "../document-lab.ts";
import { nameOf, type Tour } from "../tour.ts";
import type { ClusterOnLeafSpine } from "./cluster-on-leaf-spine.ts";

const SEED = "seed-b";
const PATIENCE = { timeoutSeconds: 30 };
export const L2_ADDRESS = "10.0.5.100";
const SERVICE = "nginx-service";

const poolOfTheRack: Stop<ClusterOnLeafSpine> = {
  title: "A pool of addresses on the rack's own link",
  why: "The pool selects Services by label. The pool of before is still there and fits as well: the one that selects wins.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const { server } = cluster;
    server.kubectl("delete", "services", "-l", "advertise-bgp=true");
    server.apply(ciliumConfig({ "enable-bgp-control-plane": "true", "enable-l2-announcements": "false" }));
    lab.apply(tour, `${SEED}/l2-pool.yaml`);
    lab.apply(tour, `${SEED}/nginx-l2.yaml`);
    await waitFor("EXTERNAL-IP", () => cluster.externalIp(SERVICE) !== null, PATIENCE);
    await cluster.untilPods(5);
    lab.kubectl(tour, "get services");
    lab.kubectl(tour, "get pods -o wide");
    const given = cluster.externalIp(SERVICE);
    tour.claim("B9", "the first address of the range is given", given === lab.at(L2_ADDRESS), `EXTERNAL-IP ${given}`);
    const pools = lab.kubectl(tour, "get ippools");
    tour.claim(
      "B11",
      "it comes from the pool that selects the Service, though lb-pool fits too",
      given === lab.at(L2_ADDRESS) && pools.includes("lb-pool"),
      `EXTERNAL-IP ${given}; pools: ${pools
        .split("\n")
        .slice(1)
        .map((line) => line.split(/\s+/)[0])
        .join(", ")}`,
    );
    const route = lab.route(network.leaf01, `${L2_ADDRESS}/32`);
    tour.type(network.leaf01.namespace, `${lab.ip} route`);
    tour.claim(
      "B14",
      "it is not announced by BGP: the Service lacks that label",
      route === undefined,
      `leaf01: no route to ${lab.at(`${L2_ADDRESS}/32`)}, only to ${lab.at("10.0.5.0/24")} on its link`,
    );
  },
};

const oneAnswers: Stop<ClusterOnLeafSpine> = {
  title: "One node of the rack answers for it",
  why: "Switched on as Cilium's users do it. The document's client2 asks who has the address.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const { client2, leaf01, leaf02 } = network;
    const silent = answering(tour, lab, client2);
    const patch = '{"data":{"enable-l2-announcements":"true"}}';
    cluster.server.kubectl("-n", "kube-system", "patch", "cm", "cilium-config", "--type", "merge", "-p", patch);
    tour.show("server", `kubectl -n kube-system patch cm cilium-config --type merge -p '${patch}'`, "patched");
    const switchedAt = performance.now();
    await waitFor("somebody to answer", () => macsOf(lab, client2).length > 0, PATIENCE);
    const seconds = ((performance.now() - switchedAt) / 1000).toFixed(1);
    tour.claim(
      "B8",
      "the switch in cilium-config starts it",
      silent.length === 0,
      `off: nobody answers; on: an answer after ${seconds} s`,
    );
    const macs = answering(tour, lab, client2);
    const owner = ownerOf(lab, macs[0]);
    const elsewhere = answering(tour, lab, leaf02.namespace, "eth1");
    tour.claim(
      "B10",
      "exactly one node of rack0 answers on net0; rack1's nodes are silent",
      macs.length === 1 && owner !== null && elsewhere.length === 0,
      `client2: ${lab.at(L2_ADDRESS)} is at ${macs.join(" and ")}, which is ${owner ?? "nobody we know"}; on leaf02-br: ${elsewhere.join() || "no answer"}`,
    );
    const addresses = tour.type(client2, `${lab.ip} -br addr show net0`);
    tour.claim(
      "B12",
      "client2 is on leaf01-br as the document has it",
      addresses.includes(lab.at("10.0.5.20/24")) &&
        network.leaf01Bridge.run(["ip", "link", "show", "client2"]).includes("br0"),
      addresses,
    );
    lab.curls(network.client, lab.at(L2_ADDRESS), 1);
    const onLeaf01 = tour.type(leaf01.namespace, `${lab.ip} neigh show dev eth1`);
    const onLeaf02 = tour.type(leaf02.namespace, `${lab.ip} neigh show`);
    const line = onLeaf01.split("\n").find((text) => text.startsWith(`${lab.at(L2_ADDRESS)} `)) ?? "";
    tour.claim(
      "B13",
      "leaf01 has it at the MAC of that node, leaf02 has never heard of it",
      line.includes(macs[0]!) && !onLeaf02.includes(lab.at(L2_ADDRESS)),
      `leaf01: ${line}; leaf02: ${onLeaf02.trim().split("\n").length} neighbours, none of them ${lab.at(L2_ADDRESS)}`,
    );
  },
};

const fromBothSides: Stop<ClusterOnLeafSpine> = {
  title: "It is reached from the rack and from outside, and all pods take part",
  why: "The document's loop of 20 requests, on both clients; then enough of them to see every pod.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const counts = [network.client2, network.client].map((client) => {
      const url = `http://${bracketed(lab.at(L2_ADDRESS))}/`;
      const one = `curl -g -s -o /dev/null -w '%{http_code}\\n' --connect-timeout 3 '${url}'`;
      return tour.type(client, `for i in $(seq 1 20); do ${one}; done | sort | uniq -c`).trim();
    });
    tour.claim(
      "B15",
      "20 of 20 requests are answered, from client2 in the rack and from client beyond the spines",
      counts.every((count) => /^20 200$/.test(count)),
      `client2: ${counts[0]}; client: ${counts[1]}`,
    );
    const one = `curl -g -s -o /dev/null -D - 'http://${bracketed(lab.at(L2_ADDRESS))}/'`;
    const shown = `for i in $(seq 1 60); do ${one}; done | tr -d '\\r' | grep -i x-pod | sort | uniq -c`;
    const pods = tour.type(network.client, shown).trim().split("\n");
    tour.claim(
      "B16",
      "each of the five pods, in both racks, answers some of 60 requests",
      pods.length === 5,
      pods.map((line) => line.trim().replace(/x-pod: nginx-deployment-/i, "")).join(", ") +
        ` (nodes: ${cluster
          .pods()
          .map(({ node }) => node)
          .join(", ")})`,
    );
  },
};

export function ciliumConfig(data: Record<string, string>): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cilium-config", namespace: "kube-system" }, data };
}

/** The MACs that answer for the address, as `arping` or the neighbour table of the asker shows them. */
function answering(tour: Tour, lab: ClusterOnLeafSpine, asker: Namespace, device = "net0"): string[] {
  const address = lab.at(L2_ADDRESS);
  const command =
    lab.family === "ipv4"
      ? `arping -c 3 -w 3 -I ${device} ${address}`
      : `ip -6 neigh flush ${address} dev ${device}; ping -6 -c 1 -W 2 -I ${device} ${address} >/dev/null; ip -6 neigh show ${address} dev ${device}`;
  return macsIn(tour.type(asker, command));
}

/** The same at once and without showing it. */
export function macsOf(lab: ClusterOnLeafSpine, asker: Namespace): string[] {
  const address = lab.at(L2_ADDRESS);
  if (lab.family === "ipv4") return macsIn(asker.try(["arping", "-c", "1", "-w", "1", "-I", "net0", address]).stdout);
  asker.try(["ip", "-6", "neigh", "flush", address, "dev", "net0"]);
  asker.try(["ping", "-6", "-c", "1", "-W", "1", address]);
  return macsIn(asker.run(["ip", "-6", "neigh", "show", address]));
}

function macsIn(text: string): string[] {
  const found = text.match(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi) ?? [];
  return [...new Set(found.map((mac) => mac.toLowerCase()))];
}

/** The node of rack0 whose net0 has a MAC. */
export function ownerOf(lab: ClusterOnLeafSpine, mac: string | undefined): string | null {
  const nodes = lab.network.nodes.filter(({ rack }) => rack === "rack0");
  const found = nodes.find(({ namespace }) => namespace.run(["ip", "link", "show", "net0"]).includes(mac ?? "no MAC"));
  return found === undefined ? null : nameOf(found.namespace);
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

export const L2_STOPS = [poolOfTheRack, oneAnswers, fromBothSides];

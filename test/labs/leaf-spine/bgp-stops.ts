/** The document's first half: addresses from a pool, told to the leaves by BGP. Claims B1 to B7, and B20. */
import type { Router } from "../../lab/router.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { pasteable, type Stop } from "../document-lab.ts";
import { nameOf, type Tour } from "../tour.ts";
import { type ClusterOnLeafSpine, RACKS } from "./cluster-on-leaf-spine.ts";

const SEED = "seed-b";
const PATIENCE = { timeoutSeconds: 30 };

const peering: Stop<ClusterOnLeafSpine> = {
  title: "Every node peers with the leaf of its rack",
  why: "The policies select nodes by the label of their rack, and write the leaf's address with the link's prefix length.",
  async show(tour, lab) {
    const { leaf01, leaf02, spine02 } = lab.network;
    lab.apply(tour, `${SEED}/bgp-peering-policies.yaml`);
    const nodesOf = (leaf: Router) => {
      const nodes = RACKS.flatMap(({ nodes }) => nodes.map((node) => lab.at(node)));
      return leaf.established().filter((address) => nodes.includes(address));
    };
    const seen = () => `leaf01: ${nodesOf(leaf01).join(", ")}; leaf02: ${nodesOf(leaf02).join(", ")}`;
    await waitFor("four sessions", () => nodesOf(leaf01).length === 2 && nodesOf(leaf02).length === 2, {
      ...PATIENCE,
      seen,
    });
    tour.type(leaf01.namespace, pasteable(leaf01.sessionsCommand()));
    const holds = RACKS.every(({ nodes }, index) => {
      const expected = nodes.map((node) => lab.at(node)).sort();
      return nodesOf([leaf01, leaf02][index]!).join() === expected.join();
    });
    tour.claim("B1", "each leaf has sessions with the two nodes of its rack, and with no other node", holds, seen());

    const expected: [string, (way: string) => boolean][] = [
      ["10.1.0.0/24", (way) => way === lab.at("10.0.5.11")],
      ["10.1.3.0/24", (way) => way === lab.at("10.0.5.12")],
      // Both spines offer these; which one it takes is the leaf's own business.
      ["10.1.1.0/24", isSpine],
      ["10.1.2.0/24", isSpine],
      ["10.0.10.0/24", isSpine],
      ["192.168.0.0/24", isSpine],
    ];
    for (const [prefix] of expected) await lab.untilRouted(leaf01, prefix);
    await lab.untilRouted(spine02, "10.1.3.0/24");
    tour.type(leaf01.namespace, `${lab.ip} route`);
    const ways = expected.map(([prefix]) => [prefix, lab.wayOf(leaf01, lab.route(leaf01, prefix))] as const);
    tour.claim(
      "B2",
      "the leaf reaches each node's pods by that node, and the other rack's by a spine",
      ways.every(([, way], index) => way.length === 1 && expected[index]![1](way[0]!)),
      ways.map(([prefix, way]) => `${lab.at(prefix)} via ${way.join("+")}`).join(", "),
    );
  },
};

const asPrinted: Stop<ClusterOnLeafSpine> = {
  title: "A Service gets an address of the pool",
  why: "The pool as the document prints it. (Its outputs show addresses that this pool can't give: the next stop.)",
  async show(tour, lab) {
    const { cluster, network } = lab;
    lab.apply(tour, `${SEED}/lb-pool.yaml`);
    lab.apply(tour, `${SEED}/nginx.yaml`);
    const first = lab.at("20.0.10.0");
    await waitFor("EXTERNAL-IP", () => cluster.externalIp("nginx-service") === first, PATIENCE);
    await cluster.untilPods(1);
    lab.kubectl(tour, "get services");
    const condition = (kind: string, name: string, type: string, field: string) =>
      cluster.server.answer("get", kind, name, "-o", `jsonpath={.status.conditions[?(@.type=="${type}")].${field}}`);
    const total = () => condition("ippool", "lb-pool", "cilium.io/IPsTotal", "message");
    await waitFor("the pool's counts", () => total() === "256", PATIENCE);
    lab.kubectl(tour, "get ippools");
    tour.claim(
      "B3",
      "the pool gives its first address, and its status counts 256 in all",
      cluster.externalIp("nginx-service") === first && total() === "256",
      `EXTERNAL-IP ${cluster.externalIp("nginx-service")}, cilium.io/IPsTotal ${total()}`,
    );
    await lab.untilRouted(network.spine02, "20.0.10.0/32");
    const satisfied = condition("service", "nginx-service", "cilium.io/IPAMRequestSatisfied", "status");
    const way = lab.wayOf(network.spine02, lab.route(network.spine02, "20.0.10.0/32"));
    tour.claim(
      "B4",
      "the Service's condition says so, and its address is announced",
      satisfied === "True" && way.length === 1,
      `cilium.io/IPAMRequestSatisfied=${satisfied}; spine02: ${first} via ${way.join("+")}`,
    );
  },
};

const fromOutside: Stop<ClusterOnLeafSpine> = {
  title: "The client reaches the pod, wherever the routers send it",
  why: "With the pool that the document's outputs show. One pod: where a rack has none, its nodes send on to the other.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const { server } = cluster;
    for (const words of ["delete service nginx-service", "delete ippool lb-pool"]) server.kubectl(...words.split(" "));
    lab.apply(tour, `${SEED}/lb-pool-observed.yaml`);
    lab.apply(tour, `${SEED}/nginx.yaml`);
    const address = lab.at("20.0.0.100");
    await waitFor("EXTERNAL-IP", () => cluster.externalIp("nginx-service") === address, PATIENCE);
    await lab.untilRouted(network.spine02, "20.0.0.100/32");
    await cluster.untilPods(1);
    lab.kubectl(tour, "get services");
    await waitFor("an answer", () => lab.curls(network.client, address, 1).bodies.length === 1, PATIENCE);
    tour.type(network.client, `curl -s ${address.includes(":") ? `-g 'http://[${address}]/'` : address}`);
    const { bodies, errors } = lab.curls(network.client, address, 20);
    const welcomed = bodies.filter((body) => body.includes("Welcome to nginx!")).length;
    const fromRack = lab.curls(network.client2, address, 5).bodies.length;
    tour.claim(
      "B5",
      "a client beyond the spine gets nginx's page",
      welcomed === 20 && fromRack === 5,
      `client: ${welcomed} of 20 "Welcome to nginx!", client2: ${fromRack} of 5; ${errors[0] ?? "no error"}`,
    );

    const { leaf01, spine01 } = network;
    await lab.untilRouted(leaf01, "20.0.0.100/32");
    await lab.untilRouted(spine01, "20.0.0.100/32");
    tour.type(leaf01.namespace, `${lab.ip} route show ${address}`);
    tour.type(spine01.namespace, `${lab.ip} route show ${address}`);
    const route = lab.route(leaf01, "20.0.0.100/32");
    const leafWay = lab.wayOf(leaf01, route);
    const spineWay = lab.wayOf(spine01, lab.route(spine01, "20.0.0.100/32"));
    tour.claim(
      "B6",
      "leaf01 has a host route with one next hop, a node of its rack, metric 20; spine01 has it from a leaf",
      leafWay.length === 1 && isNodeOf(lab, "leaf01", leafWay[0]!) && route!.metric === 20 && isLeaf(spineWay),
      `leaf01: ${address} via ${leafWay.join("+")} dev ${route!.ways[0]!.device} metric ${route!.metric}; spine01: via ${spineWay.join("+")}`,
    );
  },
};

const sixServices: Stop<ClusterOnLeafSpine> = {
  title: "Six Services: addresses in order, and one way to each of them at every router",
  why: "Every node announces every address. That a rack's traffic goes to one node is the choice of a router that uses one\nof several equally good paths; it may use more.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const addresses = [100, 101, 102, 103, 104, 105].map((last) => `20.0.0.${last}`);
    const names = addresses.map((_, index) => (index === 0 ? "nginx-service" : `nginx-service-${index + 1}`));
    const one = cluster.manifest(`${SEED}/nginx.yaml`).split("---\n")[1]!;
    for (const name of names.slice(1)) {
      cluster.server.apply(one.replace("name: nginx-service", `name: ${name}`));
      await waitFor(`an address for ${name}`, () => cluster.externalIp(name) !== null, PATIENCE);
    }
    lab.kubectl(tour, "get services");
    const given = names.map((name) => cluster.externalIp(name)!);
    const { leaf01, leaf02, spine01, spine02 } = network;
    const routers = [leaf01, leaf02, spine01, spine02];
    for (const router of routers) {
      for (const address of addresses) await lab.untilRouted(router, `${address}/32`);
    }
    const table = routers.map((router) => {
      tour.type(router.namespace, `${lab.ip} route | grep ${lab.at("20.0.0.100").replace(/100$/, "10")}`);
      const ways = addresses.map((address) => lab.wayOf(router, lab.route(router, `${address}/32`)));
      return { name: nameOf(router.namespace), ways: [...new Set(ways.map((way) => way.join("+")))] };
    });
    const evidence = table.map(({ name, ways }) => `${name} via ${ways.join(" or ")}`).join(", ");
    const rackNodes = RACKS.every(({ leaf }) => {
      const { ways } = table.find(({ name }) => name === leaf)!;
      return ways.length === 1 && isNodeOf(lab, leaf, ways[0]!);
    });
    const leaves = table.slice(2).every(({ ways }) => ways.every((way) => isLeaf([way])));
    tour.claim(
      "B7",
      "addresses follow each other; a leaf has one next hop, a node of its rack, the same for all; a spine has a leaf",
      given.join() === addresses.map((address) => lab.at(address)).join() && rackNodes && leaves,
      `${given[0]} to ${given[5]}; ${evidence}`,
    );

    await leaf01.useNodePaths(2);
    const both = () => lab.wayOf(leaf01, lab.route(leaf01, "20.0.0.100/32"));
    await waitFor("both nodes of the rack", () => both().length === 2, { ...PATIENCE, seen: both });
    tour.type(leaf01.namespace, `${lab.ip} route show ${lab.at("20.0.0.100")}`);
    const { bodies } = lab.curls(network.client, lab.at("20.0.0.100"), 20);
    tour.claim(
      "B7",
      "a leaf that may use two paths has both nodes of its rack as next hops, and traffic goes on",
      both().every((way) => isNodeOf(lab, "leaf01", way)) && bodies.length === 20,
      `leaf01: via ${both().join(" and ")}; ${bodies.length} of 20 requests answered`,
    );
    await leaf01.useNodePaths(1);
    await explained(tour, lab);
  },
};

async function explained(tour: Tour, lab: ClusterOnLeafSpine): Promise<void> {
  const command = "explain service default/nginx-service";
  const address = lab.at("20.0.0.100");
  // A node answers for itself: what the others announce is their own business.
  const texts = lab.network.nodes.map(({ name }) => {
    const text = lab.cluster.gateway(name).ask(...command.split(" "));
    tour.show(name, `sluice ${command}`, text, 40);
    return { name, text: text.replaceAll(/\s+/g, " ") };
  });
  const words = "which node gets the traffic, the router decides";
  const announcing = texts.filter(({ text }) => text.includes(`${address}/`) && text.includes(words));
  tour.claim(
    "B20",
    "sluice says of every node that it announces, and that the router decides which one gets the traffic",
    announcing.length === texts.length,
    `${announcing.map(({ name }) => name).join(", ")}: "${/to \S+: [^;]*; [^.;]*decides/.exec(texts[0]!.text)?.[0]}"`,
  );
}

function isSpine(way: string): boolean {
  return way === "spine01" || way === "spine02";
}

function isLeaf(ways: readonly string[]): boolean {
  return ways.length === 1 && (ways[0] === "leaf01" || ways[0] === "leaf02");
}

function isNodeOf(lab: ClusterOnLeafSpine, leaf: string, way: string): boolean {
  return RACKS.find((rack) => rack.leaf === leaf)!.nodes.some((node) => lab.at(node) === way);
}

export const BGP_STOPS = [peering, asPrinted, fromOutside, sixServices];

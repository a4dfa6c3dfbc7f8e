/** The stops of the document on BGP in front of a cluster. Claims A1 to A9, and A10 as far as one speaker shows it. */
import type { Family } from "../../lab/both-families.ts";
import { Capture } from "../../lab/capture.ts";
import type { Cluster } from "../../lab/cluster.ts";
import { decodeBgp } from "../../lab/gateway.ts";
import { kernelRoute } from "../../lab/kernel-routes.ts";
import { bgpMessagesFrom, type TcpSegment } from "../../lab/pcap.ts";
import { CLIENT_ADDRESS, NODE_ADDRESS, VIP } from "../../lab/seed-a.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { pasteable, type Stop } from "../document-lab.ts";
import type { Tour } from "../tour.ts";
import { type EdgeNetwork, POD_ADDRESS, POD_CIDR } from "./edge-network.ts";

const SEED = "seed-a";
const PATIENCE = { timeoutSeconds: 30 };
const ROUTE = `${VIP}/32`;

function kubectl(tour: Tour, network: EdgeNetwork, ...words: string[]): string {
  const answer = network.parts.cluster.server.answer(...words);
  tour.show("server", `kubectl ${words.map((word) => (/[{ ]/.test(word) ? `'${word}'` : word)).join(" ")}`, answer);
  return answer;
}

function apply(tour: Tour, network: EdgeNetwork, file: string): string {
  const answer = network.parts.cluster.apply(`${SEED}/${file}`);
  tour.show("server", `kubectl apply -f ${file}`, answer);
  return answer;
}

function setBgp(tour: Tour, network: EdgeNetwork, value: "true" | "false"): void {
  const patch = `{"data":{"enable-bgp-control-plane":"${value}"}}`;
  kubectl(tour, network, "-n", "kube-system", "patch", "cm", "cilium-config", "--type", "merge", "-p", patch);
}

const switchedOff: Stop<EdgeNetwork> = {
  title: "Everything is applied while BGP is off",
  why: 'The ConfigMap that Cilium\'s users know says enable-bgp-control-plane: "false".',
  async show(tour, network) {
    const { cluster, router } = network.parts;
    const config = cluster.manifest(`${SEED}/cilium-config.yaml`).replace('"true"', '"false"');
    cluster.server.apply(config);
    await cluster.startSluice("node1");
    const created = apply(tour, network, "bgp-peering-policy.yaml");
    apply(tour, network, "service.yaml");
    const pool = cluster.manifest(`${SEED}/pool-and-endpoints.yaml`).split("---\n")[0]!;
    tour.show("server", "kubectl apply -f pool.yaml", cluster.server.apply(pool));
    await waitFor("EXTERNAL-IP", () => cluster.externalIp("my-service") === network.at(VIP), PATIENCE);
    kubectl(tour, network, "get", "service", "my-service");
    tour.claim(
      "A1",
      "while the ConfigMap says false, the router sees no session and no route",
      !network.hasSession && !network.isRouted(ROUTE),
      `router: established with ${router.established().join(", ") || "nobody"}; no route to ${network.at(VIP)}`,
    );
    tour.claim(
      "A2",
      "the policy is taken as printed, of a kind that Cilium never had",
      /created/.test(created),
      created,
    );
  },
};

const switchedOn: Stop<EdgeNetwork> = {
  title: "The ConfigMap is patched",
  why: "The patch as printed.",
  async show(tour, network) {
    const { links, router, options } = network.parts;
    const { pid } = network.gateway.process;
    const patchedAt = performance.now();
    setBgp(tour, network, "true");
    await waitFor("the session", () => network.hasSession, { timeoutSeconds: 20 });
    const seconds = ((performance.now() - patchedAt) / 1000).toFixed(1);
    tour.type(links.router, pasteable(router.sessionsCommand()));
    tour.claim(
      "A1",
      "the patch opens the session within 10 s, in the process that runs",
      Number(seconds) < 10 && network.gateway.process.exit() === null && network.gateway.process.pid === pid,
      `Established with ${network.at(NODE_ADDRESS)} after ${seconds} s, process ${pid} before and after`,
    );
    const pods = network.at(POD_CIDR);
    tour.claim(
      "A2",
      "the node's pods are not announced: the policy does not ask for it",
      kernelRoute(router.namespace, pods, options.family) === undefined,
      `no route to ${pods} on the router`,
    );
  },
};

const endpoints: Stop<EdgeNetwork> = {
  title: "An endpoint on the node makes the route",
  why: "The Service has externalTrafficPolicy: Local and no selector: until an EndpointSlice says that a pod of it runs on\nthe node, there is nothing to announce. A second Service is the same but for the label.",
  async show(tour, network) {
    const { cluster, links, lab, options } = network.parts;
    const { server } = cluster;
    const withoutEndpoint = network.isRouted(ROUTE);
    const capture = await Capture.start(lab, links.router, "to-node", "tcp port 179");
    const slice = endpointSlice(cluster, options.family);
    server.apply(anotherPool(network.at("192.168.11.1")));
    server.apply(unlabelled(cluster), slice.replaceAll("my-service", "unlabelled"));
    const other = await waitFor("an address for the other", () => cluster.externalIp("unlabelled"), PATIENCE);

    tour.show("server", "kubectl apply -f endpoints.yaml", server.apply(slice));
    await waitFor("the route", () => network.isRouted(ROUTE), PATIENCE);
    tour.type(links.router, `ip ${options.family === "ipv4" ? "" : "-6 "}route show ${network.at(VIP)}`);
    const readyIs = (ready: boolean) => {
      const { endpoints } = server.get<{ endpoints: object[] }>("endpointslice", "default/my-service-manual");
      const changed = endpoints.map((endpoint) => ({ ...endpoint, conditions: { ready, serving: ready } }));
      const patch = JSON.stringify({ endpoints: changed });
      server.kubectl("patch", "endpointslice", "my-service-manual", "--type=merge", "-p", patch);
    };
    readyIs(false);
    await waitFor("the withdrawal", () => !network.isRouted(ROUTE), PATIENCE);
    readyIs(true);
    await waitFor("the route again", () => network.isRouted(ROUTE), PATIENCE);
    tour.claim(
      "A3",
      "the route is there exactly while the node has a ready endpoint of the Service",
      !withoutEndpoint,
      "no EndpointSlice: no route; ready: route; ready: false: withdrawn; ready again: route",
    );
    const announced = announcedIn(network, capture);
    tour.claim(
      "A4",
      "a Service without the label is not announced, though it has an address and an endpoint",
      announced.join() === network.at(ROUTE),
      `default/unlabelled has ${other}; announced so far: ${announced.join(", ")}`,
    );
    showUpdate(tour, network, capture);
    await capture.stop();
  },
};

function anotherPool(address: string): object {
  const spec = { blocks: [{ start: address, stop: address }] };
  return {
    apiVersion: "cilium.io/v2alpha1",
    kind: "CiliumLoadBalancerIPPool",
    metadata: { name: "another-pool" },
    spec,
  };
}

/** The document's pod as the only endpoint. */
function endpointSlice(cluster: Cluster, family: Family): string {
  const [, slice] = cluster.manifest(`${SEED}/pool-and-endpoints.yaml`).split("---\n");
  const onlyOne = slice!.replace(/ {2}- addresses: \["[^"]*6"\]\n(?: {4}.*\n)+/, "");
  return family === "ipv4" ? onlyOne : onlyOne.replace("addressType: IPv4", "addressType: IPv6");
}

function unlabelled(cluster: Cluster): string {
  const labelled = cluster.manifest(`${SEED}/service.yaml`).replace("my-service", "unlabelled");
  return labelled.replace(/ {2}labels:\n {4}.*\n/, "");
}

/** Every prefix that the node announced while the capture ran. */
function announcedIn(network: EdgeNetwork, capture: Capture): string[] {
  const messages = decodeBgp(bgpMessagesFrom(network.at(NODE_ADDRESS), capture.frames()));
  return [...new Set(messages.flatMap(prefixesOf))];
}

/** IPv4 has its fields in the message itself, IPv6 in an attribute (RFC 4760). */
function reachOf(update: Record<string, unknown>): { readonly prefixes: string[]; readonly nextHops: string[] } {
  const attributes = (update["attributes"] ?? {}) as Record<string, unknown>;
  const more = attributes["mpReach"] as { nlri: string[]; nextHops: string[] } | undefined;
  if (more !== undefined) return { prefixes: more.nlri, nextHops: more.nextHops };
  return { prefixes: (update["nlri"] ?? []) as string[], nextHops: [attributes["nextHop"] as string] };
}

function prefixesOf(message: Record<string, unknown>): string[] {
  return reachOf(message).prefixes;
}

function showUpdate(tour: Tour, network: EdgeNetwork, capture: Capture): void {
  const messages = decodeBgp(bgpMessagesFrom(network.at(NODE_ADDRESS), capture.frames()));
  const update = messages.find((message) => prefixesOf(message).length > 0) ?? {};
  const attributes = (update["attributes"] ?? {}) as Record<string, unknown>;
  tour.show("router", "tcpdump -w - tcp port 179 | … | sluice bgp decode --as4", JSON.stringify(update));
  const nextHop = reachOf(update).nextHops.join();
  tour.claim(
    "A5",
    "the UPDATE is the one that the document prints: prefix, next hop, AS path; ORIGIN IGP, no LOCAL_PREF",
    prefixesOf(update).join() === network.at(ROUTE) &&
      nextHop === network.at(NODE_ADDRESS) &&
      JSON.stringify(attributes["asPath"]) === "[65000]" &&
      attributes["origin"] === "IGP" &&
      attributes["localPref"] === undefined &&
      attributes["localPreference"] === undefined,
    `Network ${prefixesOf(update).join()}, Next-Hop ${nextHop}, AS-Path ${JSON.stringify(attributes["asPath"])}, Origin ${attributes["origin"]}`,
  );
}

const packets: Stop<EdgeNetwork> = {
  title: "A request and its reply, on the router's link and in front of the pod",
  why: "One client, one pod, 20 requests. tcpdump looks at both ends; XDP and AF_XDP are in between, and no netfilter rule.",
  async show(tour, network) {
    const { links, lab, pod } = network.parts;
    const before = takenByXdp(network);
    const filter = "tcp port 80";
    const outside = await Capture.start(lab, links.router, "to-node", filter);
    const inside = await Capture.start(lab, pod.namespace, "eth0", filter);
    tour.type(links.client, `curl -s -g 'http://${bracketed(network.at(VIP))}/' | grep title`);
    const answers = Array.from({ length: 20 }, () => network.curl(VIP));
    const answered = answers.filter(({ body }) => body.includes("Welcome to nginx!")).length;
    await outside.stop();
    await inside.stop();
    tour.claim("A6", "the client gets its answer through the router", answered === 20, `${answered} of 20 answered`);
    tour.show("router", "tcpdump -nn -i to-node tcp port 80", outside.text("-q", "-c", "4"));
    tour.show("pod", "tcpdump -nn -i eth0 tcp port 80", inside.text("-q", "-c", "4"));
    const request = inside.segments().find((segment) => segment.syn && !segment.ack)!;
    const reply = inside.segments().find((segment) => segment.syn && segment.ack)!;
    const sent = outside.segments().find((segment) => isSame(segment, request));
    const returned = outside.segments().find((segment) => isSame(segment, reply));
    const clients = new Set(pod.nginx.clients());
    tour.claim(
      "A7",
      "at the node the destination becomes the pod; the source stays the client, in the pod's log too",
      sent?.destination === network.at(VIP) &&
        request.source === network.at(CLIENT_ADDRESS) &&
        request.destination === network.at(POD_ADDRESS) &&
        [...clients].join() === network.at(CLIENT_ADDRESS),
      `${ends(sent)}  =>  ${ends(request)}; nginx logged ${[...clients].join()}`,
    );
    const leaked = outside.segments().filter(({ source }) => source === network.at(POD_ADDRESS)).length;
    tour.claim(
      "A8",
      "the reply leaves as the Service; no packet with the pod's address is on the wire",
      returned?.source === network.at(VIP) && leaked === 0,
      `${ends(reply)}  =>  ${ends(returned)}; ${leaked} frames from ${network.at(POD_ADDRESS)} on the router's link`,
    );
    const rules = tour.type(links.node, "nft list ruleset").trim();
    const program = tour.type(links.node, "ip -d link show net0 | grep -o 'prog/xdp id [0-9]* name [a-z_]*'").trim();
    const taken = takenByXdp(network) - before;
    tour.claim(
      "A9",
      "an XDP program takes the packets, its counters grow, and there is no netfilter rule",
      rules === "" && program !== "" && taken > 100,
      `nft list ruleset: ${rules === "" ? "empty" : rules}; net0: ${program}; ${taken} frames taken by it`,
    );
  },
};

const handsOff: Stop<EdgeNetwork> = {
  title: "What is somebody else's stays so, and the patch back ends it all",
  why: "A Service of another class is another controller's. The speaker does not take port 179 unless it is told to.",
  async show(tour, network) {
    const { cluster, links } = network.parts;
    const foreign = cluster.manifest(`${SEED}/service.yaml`).replace("my-service", "foreign");
    cluster.server.apply(
      foreign.replace("type: LoadBalancer", "type: LoadBalancer\n  loadBalancerClass: example.com/other"),
    );
    const explanation = await waitFor("the Service to be seen", () => {
      const text = network.gateway.ask("explain", "service", "default/foreign");
      return text.includes("another controller") ? text : null;
    });
    tour.show("node1", "sluice explain service default/foreign", explanation);
    const given = cluster.externalIp("foreign");
    const listening = tour.type(links.node, "ss -Hltn 'sport = :179'").trim();
    tour.claim(
      "A10",
      "a Service of another class gets nothing from Sluice, and port 179 is left to others",
      given === null && listening === "",
      `EXTERNAL-IP of default/foreign: ${given ?? "<pending>"}; listeners at port 179: ${listening || "none"}`,
    );
    setBgp(tour, network, "false");
    await waitFor("the session to end", () => !network.hasSession && !network.isRouted(ROUTE), PATIENCE);
    tour.claim(
      "A1",
      "patched back, session and route are gone, and the process goes on",
      network.gateway.process.exit() === null,
      `router: no session with ${network.at(NODE_ADDRESS)}, no route to ${network.at(VIP)}`,
    );
  },
};

/** Frames that the programs did not leave to the kernel. */
function takenByXdp(network: EdgeNetwork): number {
  const counters = Object.entries(network.gateway.status().datapath.xdp);
  return counters.filter(([name]) => !/^(pass|drop|noSocket)/.test(name)).reduce((sum, [, count]) => sum + count, 0);
}

/** The same segment before and after translation: ports of the client, sequence number and flags stay. */
function isSame(a: TcpSegment, b: TcpSegment): boolean {
  return (
    a.sequence === b.sequence &&
    a.syn === b.syn &&
    a.ack === b.ack &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort
  );
}

function ends(segment: TcpSegment | undefined): string {
  if (segment === undefined) return "not captured";
  const { source, sourcePort, destination, destinationPort } = segment;
  return `${source}:${sourcePort} -> ${destination}:${destinationPort}`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

export const EDGE_STOPS = [switchedOff, switchedOn, endpoints, packets, handsOff];

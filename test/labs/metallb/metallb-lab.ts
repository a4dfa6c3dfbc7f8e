/**
 * The lab of the document's second scheme: MetalLB gives addresses and announces them, Sluice only forwards. The daemon
 * that announces is a real one; what MetalLB's controller and speaker decide is done by hand, and shown as it is done.
 * Claim A10, and the way of the packet (A6 to A8) under it.
 */
import { Capture } from "../../lab/capture.ts";
import { type MetallbSpeaker, makeSpeaker } from "../../lab/metallb-speaker.ts";
import { CLIENT_ADDRESS, NODE_ADDRESS, ROUTER_ADDRESS, VIP } from "../../lab/seed-a.ts";
import { waitFor } from "../../lab/wait-for.ts";
import type { DocumentLab, LabOptions, StandingLab, Stop } from "../document-lab.ts";
import { EdgeNetwork, POD_ADDRESS } from "../edge/edge-network.ts";

const ROUTE = `${VIP}/32`;
const PATIENCE = { timeoutSeconds: 30 };
/** Long enough for Sluice to have done what it must not do: it takes well under a second where it may. */
const LONG_ENOUGH_SECONDS = 4;

class MetallbNetwork implements StandingLab {
  readonly edge: EdgeNetwork;
  readonly speaker: MetallbSpeaker;

  private constructor(edge: EdgeNetwork, speaker: MetallbSpeaker) {
    this.edge = edge;
    this.speaker = speaker;
  }

  /** The daemon on the node is another than the one on the router. */
  static async build(options: LabOptions): Promise<MetallbNetwork> {
    const edge = await EdgeNetwork.build("slm", options, ["--no-ipam", "--no-bgp", "--no-l2"]);
    const { lab, links } = edge.parts;
    const speaker = makeSpeaker(lab, links.node, options.router === "frr" ? "gobgp" : "frr", {
      asn: 65000,
      routerId: NODE_ADDRESS,
      router: edge.at(ROUTER_ADDRESS),
      routerAsn: 65001,
    });
    return new MetallbNetwork(edge, speaker);
  }

  lookAround(): readonly (readonly [string, string])[] {
    return this.edge.lookAround();
  }

  close(): Promise<void> {
    return this.edge.close();
  }
}

const handsOff: Stop<MetallbNetwork> = {
  title: "Sluice runs beside MetalLB and keeps its hands off addresses and BGP",
  why: "Its words are --no-ipam --no-bgp --no-l2. Pool, peer and advertisement of MetalLB are in the cluster, and Sluice could\nfollow them: it would be a second speaker with the same address.",
  async show(tour, { edge }) {
    const { cluster, links, options } = edge.parts;
    const { server } = cluster;
    server.kubectl("create", "namespace", "metallb-system");
    tour.show("server", "kubectl apply -f metallb.yaml", cluster.apply("metallb/metallb.yaml"));
    tour.show("server", "kubectl apply -f service.yaml", cluster.apply("seed-a/service.yaml"));
    const [, slice] = cluster.manifest("seed-a/pool-and-endpoints.yaml").split("---\n");
    const onlyOne = slice!.replace(/ {2}- addresses: \["[^"]*6"\]\n(?: {4}.*\n)+/, "");
    server.apply(options.family === "ipv4" ? onlyOne : onlyOne.replace("addressType: IPv4", "addressType: IPv6"));
    const gateway = await cluster.startSluice("node1");
    await waitFor("the Service to be seen", () => gateway.ask("explain", "service", "default/my-service"), PATIENCE);
    await new Promise((resolve) => setTimeout(resolve, LONG_ENOUGH_SECONDS * 1000));
    tour.show("node1", "sluice bgp peers", gateway.ask("bgp", "peers"));
    const listening = tour.type(links.node, "ss -Hltn 'sport = :179'").trim();
    const peers = gateway.status().bgp.length;
    const given = cluster.externalIp("my-service");
    tour.claim(
      "A10",
      "Sluice gives no address, opens no session and leaves port 179 free",
      given === null && peers === 0 && listening === "" && !edge.hasSession,
      `EXTERNAL-IP ${given ?? "<pending>"}; ${peers} sessions; listeners at port 179: ${listening || "none"}`,
    );
  },
};

const announcedByAnother: Stop<MetallbNetwork> = {
  title: "MetalLB announces, Sluice forwards",
  why: "By hand, as MetalLB's controller and speaker do it: the address into the Service's status, the route into the daemon.",
  async show(tour, { edge, speaker }) {
    const { cluster, links, router } = edge.parts;
    await speaker.start();
    const ingress = [{ ip: edge.at(VIP) }];
    cluster.server.setStatus("service", "default/my-service", { loadBalancer: { ingress } });
    tour.show("server", "kubectl get service my-service", cluster.server.kubectl("get", "service", "my-service"));
    const served = () => edge.gateway.status().services.some(({ vip }) => vip.includes(edge.at(VIP)));
    await waitFor("Sluice to serve it", served, PATIENCE);
    speaker.announce(edge.at(ROUTE));
    await waitFor("the route", () => edge.isRouted(ROUTE), { ...PATIENCE, seen: () => router.established() });
    tour.type(links.router, `ip ${edge.parts.options.family === "ipv4" ? "" : "-6 "}route show ${edge.at(VIP)}`);
    const holder = tour.type(links.node, "ss -Hltnp 'sport = :179'");
    tour.claim(
      "A10",
      "another speaker holds port 179 and announces; Sluice has no session of its own",
      holder.includes(speaker.daemon.toLowerCase().slice(0, 5)) || holder.includes("bgpd"),
      `${speaker.daemon} at port 179; the router has a session with ${router.established().join(", ")} and the route; Sluice: ${edge.gateway.status().bgp.length} sessions`,
    );
  },
};

const packets: Stop<MetallbNetwork> = {
  title: "The way of the packet is the same",
  why: "",
  async show(tour, { edge }) {
    const { lab, links, pod } = edge.parts;
    const outside = await Capture.start(lab, links.router, "to-node", "tcp port 80");
    const answers = Array.from({ length: 20 }, () => edge.curl(VIP));
    await outside.stop();
    const answered = answers.filter(({ body }) => body.includes("Welcome to nginx!")).length;
    tour.claim("A6", "the client gets its answer", answered === 20, `${answered} of 20 answered`);
    const clients = [...new Set(pod.nginx.clients())].join();
    tour.claim(
      "A7",
      "the pod sees the client's own address",
      clients === edge.at(CLIENT_ADDRESS),
      `nginx logged ${clients}`,
    );
    const replies = outside.segments().filter(({ destination }) => destination === edge.at(CLIENT_ADDRESS));
    const sources = [...new Set(replies.map(({ source }) => source))].join();
    tour.claim(
      "A8",
      "every reply leaves as the Service",
      sources === edge.at(VIP),
      `${replies.length} frames to the client, all from ${sources}; none from ${edge.at(POD_ADDRESS)}`,
    );
  },
};

const separateLives: Stop<MetallbNetwork> = {
  title: "Each may go without the other",
  why: "",
  async show(tour, { edge, speaker }) {
    const { cluster } = edge.parts;
    await edge.gateway.stop();
    const stays = edge.isRouted(ROUTE);
    await cluster.startSluice("node1");
    const answer = await waitFor("an answer", () => edge.curl(VIP).body || null, PATIENCE);
    await speaker.stop();
    await waitFor("the route to go", () => !edge.isRouted(ROUTE), PATIENCE);
    tour.claim(
      "A10",
      "Sluice restarts without the router noticing, and the speaker's end does not touch Sluice",
      stays && answer.includes("nginx") && edge.gateway.process.exit() === null,
      "Sluice stopped: the route stays; started: traffic flows; speaker stopped: the route goes, Sluice runs on",
    );
  },
};

export const METALLB: DocumentLab<MetallbNetwork> = {
  name: "metallb",
  title: "MetalLB announces, Sluice forwards",
  claims: ["A6", "A7", "A8", "A10"],
  stops: [handsOff, announcedByAnother, packets, separateLives],
  build: (options) => MetallbNetwork.build(options),
};

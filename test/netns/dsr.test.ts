/**
 * Requests that one node sends on to another: translated with the replies coming back, or by each kind of direct server
 * return, between two gateways that run as in production. The switches change while they run.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl, downloadSha256, uploadSha256 } from "../lab/curl.ts";
import { writeDeterministicBody } from "../lab/deterministic-body.ts";
import { NARROW_MTU } from "../lab/dual-stack.ts";
import { ipPacket } from "../lab/ip-packet.ts";
import { Lab } from "../lab/lab.ts";
import { forgetPathMtu, pathMtu } from "../lab/path-mtu.ts";
import { traceroute } from "../lab/traceroute.ts";
import { setSwitches, TWO_NODES_PLACES, type TwoNodes, type TwoNodesPlaces, twoNodes } from "../lab/two-nodes.ts";
import { waitFor } from "../lab/wait-for.ts";

const isLong = process.env["SLUICE_LONG"] === "1";
const BODY_MEGABYTES = isLong ? 1000 : 20;
const PATIENCE = { timeoutSeconds: isLong ? 300 : 60 };
const TEST_MILLISECONDS = 2.5 * 1000 * PATIENCE.timeoutSeconds;

const UDP_ASK = join(import.meta.dirname, "..", "lab", "udp-ask.ts");

interface Mode {
  readonly name: string;
  readonly switches: Readonly<Record<string, string>>;
  /** Whether backends see the client's own address, and answer it past the node that took the request. */
  readonly isDirect: boolean;
  /** Whether the tunnel keeps the TTL, so that the node at its end is no hop. */
  readonly hidesSecondNode: boolean;
  /** tcpdump's words for requests between the nodes. */
  readonly between: (places: TwoNodesPlaces) => string;
}

const direct = (dispatch: string, between: Mode["between"]): Mode => ({
  name: `dsr, ${dispatch}`,
  switches: { "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": dispatch },
  isDirect: true,
  hidesSecondNode: dispatch === "ipip" || dispatch === "gue",
  between,
});

const to = ({ nodes }: TwoNodesPlaces) => `dst host ${nodes[1]}`;
const hasOption = ({ family }: TwoNodesPlaces) => (family === 4 ? "ip[0] & 0xf = 7 and ip[20] = 0x9a" : "ip6[6] = 60");

const MODES: readonly Mode[] = [
  {
    name: "snat",
    switches: { "bpf-lb-mode": "snat" },
    isDirect: false,
    hidesSecondNode: false,
    between: ({ nodes }) => `src host ${nodes[0]} and dst port 80`,
  },
  direct("opt", hasOption),
  direct("ipip", (places) => `${to(places)} and ${places.family === 4 ? "ip proto 4" : "ip6 proto 41"}`),
  direct("geneve", (places) => `${to(places)} and udp dst port 6081`),
  direct("gue", (places) => `${to(places)} and udp dst port 6080`),
  direct("l2", ({ web }) => `dst host ${web} and dst port 80`),
];

let lab: Lab;
let network: TwoNodes;
let upload: string;
let bodySha256: string;

beforeAll(async () => {
  lab = new Lab("slt");
  network = await twoNodes(lab);
  upload = join(lab.folder, "upload");
  bodySha256 = writeDeterministicBody(upload, BODY_MEGABYTES * 1_000_000);
});

afterAll(() => lab?.close());

describe.each(MODES)("$name", ({ switches, isDirect, hidesSecondNode, between }) => {
  beforeAll(() => setSwitches(network, switches));

  describe.each(TWO_NODES_PLACES)("IPv$family", (places) => {
    const { family, client, router, nodes, web, narrow } = places;
    const url = (address: string) => `http://${family === 4 ? address : `[${address}]`}:80/`;
    const pods = () => network.far.map(({ pod }) => pod);
    const podAddresses = () => network.far.map((backend) => (family === 4 ? backend.ipv4 : backend.ipv6));
    const nodeMac = (node: 0 | 1) =>
      /link\/ether (\S+)/.exec(network.nodes[node].run(["ip", "link", "show", "net0"]))![1]!;

    test("20 of 20 curls are answered by pods of the other node, who see who they must see", () => {
      const seenBefore = pods().map((pod) => pod.requests().length);
      const answers = Array.from({ length: 20 }, () => curl(network.client, url(web)));
      expect(answers.map(({ error }) => error)).toEqual(Array(20).fill(""));
      expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(["far1", "far2"]));
      const clients = pods().flatMap((pod, index) => pod.requests().slice(seenBefore[index]));
      const expected = isDirect ? client : nodes[0];
      expect(new Set(clients.map((request) => request.client.replace("::ffff:", "")))).toEqual(new Set([expected]));
    });

    test("a big body arrives whole, down and up", { timeout: TEST_MILLISECONDS }, async () => {
      expect(await downloadSha256(network.client, `${url(web)}${BODY_MEGABYTES}mb`, PATIENCE)).toBe(bodySha256);
      expect(await uploadSha256(network.client, `${url(web)}upload`, upload, PATIENCE)).toBe(bodySha256);
    });

    test("captures show the packet of the client at the pod, and the reply on its way", async () => {
      const fromVip = `src host ${web} and src port 80`;
      const atPods = pods().map(({ namespace }) => Capture.start(lab, namespace, "eth0", "dst port 80"));
      const atRouter = await Capture.start(lab, network.router, "fabric0", fromVip);
      const atFirstNode = await Capture.start(lab, network.fabric, "port1", fromVip);
      const atSecondNode = await Capture.start(lab, network.fabric, "port2", between(places));
      const captures = [atRouter, atFirstNode, atSecondNode, ...(await Promise.all(atPods))];
      expect(curl(network.client, url(web)).error).toBe("");
      // What a capture has seen reaches its file a little later.
      await waitFor("the captures to have the connection", () => atRouter.frames().length > 3);
      await sleep(200);
      for (const capture of captures) await capture.stop();
      const [replies, throughFirst, onTheWay, ...requests] = captures.map((capture) =>
        capture.frames().map((frame) => ipPacket(frame)!),
      );

      const requestsSeen = requests.flat();
      expect(requestsSeen.length).toBeGreaterThan(3);
      expect(new Set(requestsSeen.map(({ source }) => source))).toEqual(new Set([isDirect ? client : nodes[0]]));
      expect(podAddresses()).toContain(requestsSeen[0]!.destination);
      expect(replies!.length).toBeGreaterThan(3);
      expect(new Set(replies!.map(({ destination }) => destination))).toEqual(new Set([client]));
      expect(new Set(replies!.map(({ sourceMac }) => sourceMac))).toEqual(new Set([nodeMac(isDirect ? 1 : 0)]));
      expect(onTheWay).not.toEqual([]);
      expect(throughFirst).toHaveLength(isDirect ? 0 : replies!.length);
    });

    test("the VIP answers pings, with 1400 bytes too", () => {
      for (const size of ["56", "1400"]) {
        const ping = ["ping", `-${family}`, "-n", "-q", "-c", "3", "-i", "0.1", "-W", "2", "-s", size, web];
        expect(network.client.try(ping).stdout).toContain("3 received");
      }
    });

    test.each([
      ["TCP", "-T", "80"],
      ["UDP", "-U", "7"],
    ])("traceroute with %s shows the nodes that route the request behind the router, and arrives", (_, kind, port) => {
      const hops = () => traceroute(network.client, family, kind, "-p", port, web);
      // A first packet between hosts that have not met may wait for a MAC.
      hops();
      expect(hops()).toEqual([router, nodes[0], ...(hidesSecondNode ? [] : [nodes[1]]), web]);
    });

    test("datagrams of 20 and of 8,000 bytes come back as they were", () => {
      const ask = (...lengths: number[]) =>
        network.client
          .run([process.execPath, UDP_ASK, web, "7", ...lengths.map(String)])
          .trim()
          .split("\n");
      // Fragments of IPv4 are cut once more for what they gain on the way. An IPv6 client has to learn what that takes, and
      // loses its first long one to it.
      if (family === 6) ask(8000);
      const lengths = [20, 8000, 20, 8000];
      expect(ask(...lengths)).toEqual(lengths.map(() => "echoed"));
    });

    test("a link of 1400 bytes before the pod is found out by the client", { timeout: TEST_MILLISECONDS }, async () => {
      forgetPathMtu(network.client);
      expect(await uploadSha256(network.client, `${url(narrow)}upload`, upload, PATIENCE)).toBe(bodySha256);
      expect(pathMtu(network.client, narrow)).toBe(NARROW_MTU);
    });

    test("a link of 1400 bytes before the client is found out by the pod", { timeout: TEST_MILLISECONDS }, async () => {
      const route = `${client}/${family === 4 ? 32 : 128} dev to-client`;
      // A client that knows of a narrow way there says so in its SYN, and then nothing is too long.
      for (const host of [network.client, ...pods().map(({ namespace }) => namespace)]) forgetPathMtu(host);
      network.router.ip(`route replace ${route} mtu lock ${NARROW_MTU}`);
      try {
        const hash = await downloadSha256(network.client, `${url(web)}${BODY_MEGABYTES}mb`, PATIENCE);
        expect(hash).toBe(bodySha256);
        const learned = pods().map(({ namespace }) => pathMtu(namespace, isDirect ? client : nodes[0]));
        expect(learned).toContain(NARROW_MTU);
      } finally {
        network.router.ip(`route del ${route}`);
      }
    });
  });
});

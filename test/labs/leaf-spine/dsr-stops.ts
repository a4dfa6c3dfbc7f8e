/**
 * The document's last part: the node that takes the request sends it on to the pod with the client's address, and the
 * pod's node answers the client itself, as the Service. Claims B17 and B18.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { urlOf } from "../../lab/both-families.ts";
import { Capture } from "../../lab/capture.ts";
import { downloadSha256 } from "../../lab/curl.ts";
import { deterministicBody, sha256 } from "../../lab/deterministic-body.ts";
import { LARGE_FILE, LARGE_FILE_BYTES } from "../../lab/nginx.ts";
import type { CapturedFrame, TcpSegment } from "../../lab/pcap.ts";
import { tcpSegment } from "../../lab/pcap.ts";
import type { Stop } from "../document-lab.ts";
import type { ClusterOnLeafSpine } from "./cluster-on-leaf-spine.ts";
import { L2_ADDRESS } from "./l2-stops.ts";

const CLIENT2 = "10.0.5.20";
/** What the client of the document believed in: it offered segments of 9460 bytes. */
const CLIENT_MTU = 9500;

const direct: Stop<ClusterOnLeafSpine> = {
  title: "The pod's node answers the client itself",
  why: "bpf-lb-mode: dsr in cilium-config. Captured at leaf02, behind which half of the pods are, and at the ports of rack0's\nnodes. The client offers a segment size of 9460 over links of 1500, as the document's did.",
  async show(tour, lab) {
    const { cluster, network } = lab;
    const { client2, leaf02, leaf01Bridge } = network;
    await lab.useForwarding(tour, "dsr");
    client2.ip(`link set net0 mtu ${CLIENT_MTU}`);

    const filter = `host ${lab.at(CLIENT2)}`;
    const uplinks = await Promise.all(
      ["eth2", "eth3"].map((device) => Capture.start(lab.lab, leaf02.namespace, device, filter)),
    );
    const ports = Object.fromEntries(
      await Promise.all(
        ["rack0-a", "rack0-b"].map(
          async (port) => [port, await Capture.start(lab.lab, leaf01Bridge, port, filter)] as const,
        ),
      ),
    ) as Record<string, Capture>;
    const { bodies, errors } = lab.curls(client2, lab.at(L2_ADDRESS), 20);
    // The last segments of the last connection are still on their way when curl returns.
    await sleep(300);
    for (const capture of [...uplinks, ...Object.values(ports)]) await capture.stop();

    const atLeaf02 = uplinks
      .flatMap((capture) => capture.segments())
      .sort((a, b) => a.timestampSeconds - b.timestampSeconds);
    const lines = uplinks
      .flatMap((capture) => capture.text().split("\n"))
      .filter(Boolean)
      .sort();
    tour.show("leaf02", `tcpdump -nn 'host ${lab.at(CLIENT2)}'`, lines.join("\n"), 14);
    const toPods = atLeaf02.filter(({ source }) => source === lab.at(CLIENT2));
    const back = atLeaf02.filter(({ destination }) => destination === lab.at(CLIENT2));
    const rack1Pods = cluster
      .pods()
      .filter(({ node }) => node.startsWith("rack1"))
      .map(({ address }) => address);
    const clientPorts = new Set(toPods.map(({ sourcePort }) => sourcePort));
    const whole = [...clientPorts].filter((port) =>
      isWhole(
        toPods.filter(({ sourcePort }) => sourcePort === port),
        back.filter(({ destinationPort }) => destinationPort === port),
      ),
    );
    const requestsAt = (port: string) =>
      ports[port]!.segments().filter(({ destination }) => destination === lab.at(L2_ADDRESS)).length;
    const owner = requestsAt("rack0-a") > requestsAt("rack0-b") ? "rack0-a" : "rack0-b";
    const overOwner = ports[owner]!.segments().filter(
      ({ source, destinationPort }) => source === lab.at(L2_ADDRESS) && clientPorts.has(destinationPort),
    );
    tour.claim(
      "B17",
      "at leaf02 requests go client -> pod, replies Service -> client; the node that took the request sees no reply",
      bodies.length === 20 &&
        whole.length > 0 &&
        whole.length === clientPorts.size &&
        toPods.every(({ destination }) => rack1Pods.includes(destination)) &&
        back.every(({ source }) => source === lab.at(L2_ADDRESS)) &&
        overOwner.length === 0,
      `${whole.length} of ${clientPorts.size} connections from SYN to FIN: ${ends(toPods[0])}, ${ends(back[0])}; ${owner} took the requests and saw ${overOwner.length} replies; ${errors[0] ?? "20 of 20 answered"}`,
    );

    // Not every frame of it: tcpdump would miss some.
    const notable =
      lab.family === "ipv4"
        ? "tcp[tcpflags] & tcp-syn != 0 or ip[6:2] & 0x3fff != 0"
        : "(ip6[6] = 6 and ip6[53] & 2 != 0) or ip6[6] = 44";
    const transfer = await Capture.start(lab.lab, client2, "net0", notable);
    const hash = await downloadSha256(client2, `${urlOf(lab.at(L2_ADDRESS))}${LARGE_FILE}`);
    await transfer.stop();
    const offered = mssOf(transfer.frames().find((frame) => tcpSegment(frame)?.syn && !tcpSegment(frame)!.ack));
    const largest = CLIENT_MTU - (lab.family === "ipv4" ? 40 : 60);
    const fragments = transfer.frames().filter(isFragment).length;
    tour.claim(
      "B18",
      "a client that offers segments of 9460 bytes gets 10 MB whole over a core of 1500, unfragmented",
      hash === sha256(deterministicBody(LARGE_FILE_BYTES)) && offered === largest && fragments === 0,
      `SYN with mss ${offered}; ${LARGE_FILE_BYTES / 1e6} MB with the right hash; ${fragments} fragments`,
    );
  },
};

/** A handshake, data, and an end from both sides. */
function isWhole(requests: readonly TcpSegment[], replies: readonly TcpSegment[]): boolean {
  const has = (segments: readonly TcpSegment[], test: (segment: TcpSegment) => boolean) => segments.some(test);
  return (
    has(requests, ({ syn }) => syn) &&
    has(replies, ({ syn, ack }) => syn && ack) &&
    has(requests, ({ fin }) => fin) &&
    has(replies, ({ fin }) => fin) &&
    has(replies, ({ payload }) => payload.length > 0)
  );
}

/** The maximum segment size that a SYN offers (RFC 9293 §3.2), or `null`. */
function mssOf(frame: CapturedFrame | undefined): number | null {
  if (frame === undefined) return null;
  const { bytes } = frame;
  const tcp = bytes.readUInt16BE(12) === 0x0800 ? 14 + (bytes[14]! & 15) * 4 : 54;
  for (let at = tcp + 20; at < tcp + (bytes[tcp + 12]! >> 4) * 4; at += bytes[at] === 1 ? 1 : bytes[at + 1]!) {
    if (bytes[at] === 2) return bytes.readUInt16BE(at + 2);
  }
  return null;
}

function isFragment({ bytes }: CapturedFrame): boolean {
  if (bytes.readUInt16BE(12) === 0x0800) return (bytes.readUInt16BE(20) & 0x3fff) !== 0;
  return bytes[20] === 44;
}

function ends(segment: TcpSegment | undefined): string {
  if (segment === undefined) return "nothing";
  const { source, sourcePort, destination, destinationPort } = segment;
  return `${source}.${sourcePort} > ${destination}.${destinationPort}`;
}

export const DSR_STOPS = [direct];

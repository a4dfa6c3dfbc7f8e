/**
 * Direct server return from end to end: what the sending gateway makes of a client's packet, given to the receiving one,
 * is that packet at the pod; and the pod's answer leaves the receiving one as the VIP's.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import {
  NET,
  node,
  POD,
  POD_MAC,
  PODS,
  PODS_MAC,
  RECEIVER,
  RECEIVER_MAC,
  ROUTER_MAC,
  SENDER,
  SENDER_MAC,
  VIPS,
} from "./fixtures/dsr-nodes.ts";
import { clientSegment, podSegment } from "./fixtures/dsr-segments.ts";
import { POD_PORT, PORT } from "./fixtures/dsr-spec.ts";
import { internetChecksum } from "./fixtures/frames.ts";
import { addressBytes, type Segment, segmentFrame, transportFault } from "./fixtures/segments.ts";

const MODES = ["dsr-opt", "dsr-ipip", "dsr-gue", "dsr-geneve"] as const;
const TUNNELS = ["dsr-ipip", "dsr-gue", "dsr-geneve"] as const;
const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];
const ACK = 0x10;

/** The client's packet as the pod must get it. */
const atPod = (sent: Segment, family: Family, ttl: number): Segment => ({
  ...sent,
  destinationMac: POD_MAC,
  sourceMac: PODS_MAC,
  destination: POD[family],
  destinationPort: POD_PORT,
  ttl,
});

/** The pod's answer as it must leave. */
const atClient = (sent: Segment, family: Family): Segment => ({
  ...sent,
  destinationMac: ROUTER_MAC,
  sourceMac: RECEIVER_MAC,
  source: VIPS[family],
  sourcePort: PORT,
  ttl: 63,
});

const payload = fc.uint8Array({ maxLength: 1300 });
const port = fc.integer({ min: 1, max: 65535 });

describe.each(MODES)("%s", (mode) => {
  /** Whether the sender is a router to the packet, which then has one hop less to live. */
  const podTtl = mode === "dsr-opt" || mode === "dsr-geneve" ? 62 : 63;

  it.each(FAMILIES)("brings IPv%d packets to the pod as the client sent them, and answers as the VIP", (family) => {
    fc.assert(
      fc.property(fc.constantFrom("TCP", "UDP"), payload, port, fc.integer({ min: 0, max: 63 }), (...drawn) => {
        const [protocol, data, sourcePort, dscp] = drawn;
        const sender = node(SENDER, { mode });
        const receiver = node(RECEIVER, { mode });
        const sent = clientSegment(family, { protocol, payload: data, sourcePort, tos: dscp << 2 });
        const onTheWay = sender.take(segmentFrame(sent));
        expect(onTheWay.reason).toBe("");
        expect([...onTheWay.frame.subarray(0, 6)]).toEqual([2, 0, 0, 0, 0, 3]);
        const delivered = receiver.take(onTheWay.frame);
        expect(delivered.reason).toBe("");
        expect(delivered.port).toBe(PODS);
        expect(delivered.frame).toEqual(segmentFrame(atPod(sent, family, podTtl)));

        const reply = podSegment(family, { protocol, payload: data, destinationPort: sourcePort });
        const returned = receiver.take(segmentFrame(reply), PODS);
        expect(returned.port).toBe(NET);
        expect(returned.frame).toEqual(segmentFrame(atClient(reply, family)));
      }),
      { numRuns: 60 },
    );
  });

  it.each(FAMILIES)("keeps an IPv%d flow that came to the sender in its middle", (family) => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    const sent = clientSegment(family, { flags: ACK });
    const delivered = receiver.take(sender.take(segmentFrame(sent)).frame);
    expect(delivered.frame).toEqual(segmentFrame(atPod(sent, family, podTtl)));
    const reply = podSegment(family, { flags: ACK });
    expect(receiver.take(segmentFrame(reply), PODS).frame).toEqual(segmentFrame(atClient(reply, family)));
  });

  it.each(FAMILIES)("brings later IPv%d segments of the flow to the same pod", (family) => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    receiver.take(sender.take(segmentFrame(clientSegment(family))).frame);
    const later = clientSegment(family, { flags: ACK, payload: new Uint8Array(100) });
    const delivered = receiver.take(sender.take(segmentFrame(later)).frame);
    expect(delivered.frame).toEqual(segmentFrame(atPod(later, family, podTtl)));
  });

  it.each(FAMILIES)("says that an IPv%d packet is too big with the room that is left", (family) => {
    const sender = node(SENDER, { mode });
    const data = new Uint8Array(1500 - (family === 4 ? 20 : 40) - 20);
    const big = segmentFrame(clientSegment(family, { flags: ACK, payload: data }));
    const refused = sender.take(big);
    expect(refused.verdict).toBe(Verdict.Reply);
    const icmp = family === 4 ? 34 : 54;
    const view = new DataView(refused.frame.buffer);
    const overhead = 1500 - view.getUint32(icmp + 4);
    const outer = family === 4 ? 20 : 40;
    const option = family === 4 ? 12 : 24;
    const expected = { "dsr-opt": family === 4 ? 8 : 24, "dsr-ipip": outer, "dsr-gue": outer + 8 };
    expect(overhead).toBe(mode === "dsr-geneve" ? outer + 8 + 8 + 14 + option : expected[mode]);
    // The quote is the client's own packet.
    const quote = refused.frame.subarray(icmp + 8);
    expect(quote).toEqual(big.subarray(14, 14 + quote.length));
  });

  it.each(FAMILIES)("tells the client of an IPv%d packet whose TTL ends at the first node", (family) => {
    const sent = segmentFrame(clientSegment(family, { ttl: 1 }));
    expectTimeExceeded(node(SENDER, { mode }).take(sent), family, sent);
  });

  it("has one row at the sender and two at the receiver", () => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    receiver.take(sender.take(segmentFrame(clientSegment(4))).frame);
    expect(rows(sender.flows4)).toBe(1);
    expect(rows(receiver.flows4)).toBe(2);
  });
});

// The other tunnels keep the TTL: there the second node is no hop.
describe.each(["dsr-opt", "dsr-geneve"] as const)("%s", (mode) => {
  it.each([
    [4, "TCP"],
    [4, "UDP"],
    [6, "TCP"],
    [6, "UDP"],
  ] as const)("tells the client of an IPv%d packet, %s, whose TTL ends at the second node", (family, protocol) => {
    const sent = clientSegment(family, { protocol, payload: new Uint8Array(20).fill(3), ttl: 2 });
    const refused = node(RECEIVER, { mode }).take(node(SENDER, { mode }).take(segmentFrame(sent)).frame);
    expectTimeExceeded(refused, family, segmentFrame({ ...sent, ttl: 1 }));
  });
});

/** The client's host finds its connection by the quote, which has to be what it sent, VIP and all. */
function expectTimeExceeded(answer: { verdict: number; frame: Uint8Array }, family: Family, sent: Uint8Array): void {
  expect(answer.verdict).toBe(Verdict.Reply);
  const icmp = family === 4 ? 34 : 54;
  expect(answer.frame[icmp]).toBe(family === 4 ? 11 : 3);
  expect(answer.frame.subarray(icmp + 8)).toEqual(sent.subarray(14));
}

describe.each(TUNNELS)("a tunnel, %s,", (mode) => {
  it.each([
    [4, 6],
    [6, 4],
  ] as const)("carries IPv%d in IPv%d", (family, outer) => {
    const sender = node(SENDER, { mode, outer });
    const receiver = node(RECEIVER, { mode, outer });
    const sent = clientSegment(family, { payload: new Uint8Array(33).fill(7) });
    const onTheWay = sender.take(segmentFrame(sent));
    expect(onTheWay.frame[14]! >> 4).toBe(outer);
    const ttl = mode === "dsr-geneve" ? 62 : 63;
    expect(receiver.take(onTheWay.frame).frame).toEqual(segmentFrame(atPod(sent, family, ttl)));
  });

  it("from a stranger is not opened", () => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode, peers: [["10.1.0.7", 32]] });
    const refused = receiver.take(sender.take(segmentFrame(clientSegment(4))).frame);
    expect([refused.verdict, refused.reason]).toEqual([Verdict.Pass, "TunnelStranger"]);
    expect(rows(receiver.flows4)).toBe(0);
  });

  it("in a tunnel is not opened twice", () => {
    const receiver = node(RECEIVER, { mode });
    const once = node(SENDER, { mode }).take(segmentFrame(clientSegment(4))).frame;
    const outer = once.slice(14, 34);
    const total = once.length - 14 + 20;
    outer.set([total >> 8, total & 255], 2);
    outer[9] = 4;
    outer.set([0, 0], 10);
    let sum = 0;
    for (let at = 0; at < 20; at += 2) sum += outer[at]! * 256 + outer[at + 1]!;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    outer.set([(~sum >> 8) & 255, ~sum & 255], 10);
    const twice = Uint8Array.of(...once.subarray(0, 14), ...outer, ...once.subarray(14));
    expect(receiver.take(twice).reason).toBe("TunnelInvalid");
  });

  it("tells the packet inside of congestion that it met", () => {
    const receiver = node(RECEIVER, { mode });
    const sent = clientSegment(6, { tos: 2 });
    const onTheWay = node(SENDER, { mode }).take(segmentFrame(sent)).frame;
    onTheWay[15]! |= 0x30;
    const ttl = mode === "dsr-geneve" ? 62 : 63;
    expect(receiver.take(onTheWay).frame).toEqual(segmentFrame({ ...atPod(sent, 6, ttl), tos: 3 }));
  });

  it("over IPv6 has a UDP checksum that holds", () => {
    if (mode === "dsr-ipip") return;
    for (const family of FAMILIES) {
      for (const protocol of ["TCP", "UDP"] as const) {
        const sent = clientSegment(family, { protocol, payload: new Uint8Array(33).fill(9) });
        expect(transportFault(node(SENDER, { mode, outer: 6 }).take(segmentFrame(sent)).frame)).toBe(0);
      }
    }
  });
});

describe.each(MODES)("an ICMP error about a reply (%s)", (mode) => {
  it("reaches the pod, and quotes what the pod has sent", () => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    receiver.take(sender.take(segmentFrame(clientSegment(4))).frame);
    const reply = podSegment(4, { flags: ACK, payload: new Uint8Array(100) });
    const seen = receiver.take(segmentFrame(reply), PODS).frame.subarray(14);
    const arrived = receiver.take(sender.take(fragmentationNeeded(VIPS[4], seen.subarray(0, 48))).frame);
    expect([arrived.reason, arrived.port]).toEqual(["", PODS]);
    expect([...arrived.frame.subarray(30, 34)]).toEqual(addressBytes(POD[4]));
    expect(internetChecksum(arrived.frame.subarray(34))).toBe(0);
    const quote = arrived.frame.slice(42);
    const sent = segmentFrame(reply).subarray(14, 14 + 48);
    // On its way through the receiver the reply lost a hop, and the checksum changed with it.
    expect(quote[8]).toBe(63);
    quote.set(sent.subarray(8, 12), 8);
    expect(quote).toEqual(sent);
  });
});

describe("dsr-l2", () => {
  it.each(FAMILIES)("changes nothing of an IPv%d frame but its MACs for a backend on the link", (family) => {
    const sent = clientSegment(family);
    const out = node(SENDER, { mode: "dsr-l2", alone: true }).take(segmentFrame(sent));
    expect(out.frame).toEqual(segmentFrame({ ...sent, destinationMac: POD_MAC, sourceMac: SENDER_MAC }));
  });

  it.each(FAMILIES)("sends an IPv%d packet to the backend's node as a router would, a hop less", (family) => {
    const sent = clientSegment(family);
    const out = node(SENDER, { mode: "dsr-l2" }).take(segmentFrame(sent));
    const passedOn = { ...sent, ttl: 63, destinationMac: RECEIVER_MAC, sourceMac: SENDER_MAC };
    expect(out.frame).toEqual(segmentFrame(passedOn));
  });
});

describe("a DSR option", () => {
  it.each(["little", "network"] as const)("is read in the byte order that it is written in: %s", (byteOrder) => {
    const sender = node(SENDER, { mode: "dsr-opt", byteOrder });
    const receiver = node(RECEIVER, { mode: "dsr-opt", byteOrder });
    const onTheWay = sender.take(segmentFrame(clientSegment(4))).frame;
    const network = [0x9a, 8, 0, PORT, 198, 51, 100, 10];
    const little = [0x9a, 8, PORT, 0, 10, 100, 51, 198];
    expect([...onTheWay.subarray(34, 42)]).toEqual(byteOrder === "little" ? little : network);
    expect(receiver.take(onTheWay).port).toBe(PODS);
  });

  it("is on each SYN and each datagram, and on the first segments only of a flow that began elsewhere", () => {
    const has = (frame: Uint8Array) => frame[14] === 0x47;
    const sender = node(SENDER, { mode: "dsr-opt" });
    const take = (over: Partial<Segment>) => has(sender.take(segmentFrame(clientSegment(4, over))).frame);
    expect([take({}), take({}), take({ flags: ACK })]).toEqual([true, true, false]);
    const udp = { protocol: "UDP" } as const;
    expect([take(udp), take(udp)]).toEqual([true, true]);
    const moved = { flags: ACK, sourcePort: 40001 };
    expect([take(moved), take(moved), take(moved), take(moved)]).toEqual([true, true, true, false]);
  });

  it("for a VIP that the pod is no backend of is refused", () => {
    const receiver = node(RECEIVER, { mode: "dsr-opt", byteOrder: "network" });
    const onTheWay = node(SENDER, { mode: "dsr-opt" }).take(segmentFrame(clientSegment(4))).frame;
    expect(receiver.take(onTheWay).reason).toBe("NoSuchVip");
    expect(rows(receiver.flows4)).toBe(0);
  });

  it("that finds no room in a full IPv4 header is not sent without", () => {
    const plain = segmentFrame(clientSegment(4));
    const options = new Uint8Array(40).fill(1);
    const frame = Uint8Array.of(...plain.subarray(0, 34), ...options, ...plain.subarray(34));
    frame[14] = 0x4f;
    frame[17]! += 40;
    const view = new DataView(frame.buffer);
    view.setUint16(24, 0);
    let sum = 0;
    for (let at = 14; at < 74; at += 2) sum += view.getUint16(at);
    view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
    expect(node(SENDER, { mode: "dsr-opt" }).take(frame).reason).toBe("DsrOptionNoRoom");
  });
});

describe("a gateway whose own pod is chosen", () => {
  it.each(MODES)("uses NAT, though the VIP is %s", (mode) => {
    const receiver = node(RECEIVER, { mode });
    const sent = clientSegment(4, { destinationMac: RECEIVER_MAC });
    expect(receiver.take(segmentFrame(sent)).frame).toEqual(segmentFrame(atPod(sent, 4, 63)));
    const reply = podSegment(4);
    expect(receiver.take(segmentFrame(reply), PODS).frame).toEqual(segmentFrame(atClient(reply, 4)));
  });

  it.each(MODES)("and whose routers then move the flow to another gateway keeps it (%s)", (mode) => {
    const receiver = node(RECEIVER, { mode });
    receiver.take(segmentFrame(clientSegment(4, { destinationMac: RECEIVER_MAC })));
    const moved = node(SENDER, { mode }).take(segmentFrame(clientSegment(4, { flags: ACK }))).frame;
    expect(receiver.take(moved).port).toBe(PODS);
    const reply = podSegment(4, { flags: ACK });
    expect(receiver.take(segmentFrame(reply), PODS).frame).toEqual(segmentFrame(atClient(reply, 4)));
  });
});

/** A router's complaint (RFC 792) to the one who seems to have sent a packet. */
function fragmentationNeeded(destination: string, quote: Uint8Array): Uint8Array {
  const frame = segmentFrame(clientSegment(4, { protocol: "UDP", destination, payload: quote }));
  frame[23] = 1;
  frame.set([0, 0], 24);
  frame.set([3, 4, 0, 0, 0, 0, 5, 0], 34);
  const header = internetChecksum(frame.subarray(14, 34));
  const icmp = internetChecksum(frame.subarray(34));
  frame.set([header >> 8, header & 255], 24);
  frame.set([icmp >> 8, icmp & 255], 36);
  return frame;
}

function rows(flows: { words: Int32Array; layout: { words: number }; isLive(row: number): boolean }): number {
  let live = 0;
  for (let row = 0; row < flows.words.length; row += flows.layout.words) if (flows.isLive(row)) live++;
  return live;
}

/** Packets and MTUs: what is too long is cut or answered, and flows in tunnels are asked for smaller segments. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import { replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { CLIENT, node, POD, POD_MAC, PODS, PODS_MAC, RECEIVER, SENDER, VIPS } from "./fixtures/dsr-nodes.ts";
import { clientSegment, podSegment } from "./fixtures/dsr-segments.ts";
import { POD_PORT } from "./fixtures/dsr-spec.ts";
import { internetChecksum } from "./fixtures/frames.ts";
import type { Sent } from "./fixtures/gateway-in-memory.ts";
import { crc32c, sctpFrame } from "./fixtures/sctp.ts";
import { addressBytes, type Segment, segmentFrame, transportFault } from "./fixtures/segments.ts";

const { configs } = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8"));

const MODES = ["dsr-opt", "dsr-ipip", "dsr-gue", "dsr-geneve"] as const;
const IPV4_HEADER = 34;
const SYN = 0x02;
const ACK = 0x10;
const SYN_ACK = 0x12;

const request = (over: Partial<Segment> = {}) => clientSegment(4, { protocol: "UDP", flags: ACK, ...over });

const pattern = (bytes: number) => Uint8Array.from({ length: bytes }, (_, index) => index & 255);

/** A frame whose packet may be fragmented and has an identification. */
function fragmentable(segment: Segment): Uint8Array {
  const frame = segmentFrame(segment);
  frame.set([0x12, 0x34, 0, 0], 18);
  return withIpv4Checksum(frame);
}

function withIpv4Checksum(frame: Uint8Array): Uint8Array {
  frame.set([0, 0], 24);
  const checksum = internetChecksum(frame.subarray(14, IPV4_HEADER));
  frame.set([checksum >> 8, checksum & 255], 24);
  return frame;
}

/** Puts the fragments of an IPv4 packet together as a host would, into one frame; each has to fit into `mtu`. */
function reassembled(frames: readonly Uint8Array[], mtu: number): Uint8Array {
  const parts = frames.map((frame) => {
    expect(frame.length - 14).toBeLessThanOrEqual(mtu);
    expect(internetChecksum(frame.subarray(14, IPV4_HEADER))).toBe(0);
    const field = (frame[20]! << 8) | frame[21]!;
    return { start: (field & 0x1fff) * 8, more: (field & 0x2000) !== 0, frame };
  });
  parts.sort((a, b) => a.start - b.start);
  let end = 0;
  for (const { start, more, frame } of parts) {
    expect(start).toBe(end);
    end += frame.length - IPV4_HEADER;
    expect(more).toBe(parts.at(-1)!.frame !== frame);
  }
  const whole = Uint8Array.of(
    ...parts[0]!.frame.subarray(0, IPV4_HEADER),
    ...parts.flatMap(({ frame }) => [...frame.subarray(IPV4_HEADER)]),
  );
  whole.set([(whole.length - 14) >> 8, (whole.length - 14) & 255], 16);
  whole.set([0, 0], 20);
  return withIpv4Checksum(whole);
}

/** All that a node sends for a frame, fragments that come out later included. */
function all(gateway: ReturnType<typeof node>, frame: Uint8Array): Sent[] {
  return [gateway.take(frame), ...gateway.released()];
}

describe.each(MODES)("a datagram of 1500 bytes that may be fragmented (%s)", (mode) => {
  it("is cut to what the link has room for and reaches the pod in whole", () => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    const datagram = request({ payload: pattern(1472) });
    const onTheWay = all(sender, fragmentable(datagram));
    expect(onTheWay.map(({ reason }) => reason)).toEqual(["", ""]);
    for (const { frame } of onTheWay) expect(frame.length - 14).toBeLessThanOrEqual(1500);
    const arrived = onTheWay.flatMap(({ frame }) => all(receiver, frame));
    expect(arrived.map(({ reason, port }) => [reason, port])).toEqual([
      ["", PODS],
      ["", PODS],
    ]);
    const whole = reassembled(
      arrived.map(({ frame }) => frame),
      1500,
    );
    const pod = { destination: POD[4], destinationPort: POD_PORT, destinationMac: POD_MAC, sourceMac: PODS_MAC };
    expect(whole).toEqual(fragmentable({ ...datagram, ...pod, ttl: whole[22]! }));
    expect(transportFault(whole)).toBe(0);
  });

  it("reaches the pod as well when its client has cut it", () => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    const narrow = node(SENDER, { mode: "dsr-l2", mtu: 700, alone: true });
    const cut = all(narrow, fragmentable(request({ payload: pattern(1200) })));
    expect(cut).toHaveLength(2);
    const arrived = cut
      .map(({ frame }) => Uint8Array.of(...segmentFrame(request()).subarray(0, 12), ...frame.subarray(12)))
      .flatMap((frame) => all(sender, frame))
      .flatMap(({ frame }) => all(receiver, frame));
    expect(arrived.map(({ port }) => port)).toEqual([PODS, PODS]);
    expect(
      transportFault(
        reassembled(
          arrived.map(({ frame }) => frame),
          1500,
        ),
      ),
    ).toBe(0);
  });
});

describe("a datagram that is too long for the way to its backend", () => {
  const { node: gateway } = configs.nat;
  const narrow = {
    ...configs.nat,
    node: { ...gateway, ifaces: { ...gateway.ifaces, lan: { ...gateway.ifaces.lan, mtu: 600 } } },
  };
  const datagram = { destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00", destinationPort: 53 };
  const run = (frame: Uint8Array) => {
    const frames = [{ iface: "wan", frame: Buffer.from(frame).toString("hex") }];
    return replay(parseScenario({ ...narrow, id: "long", frames })).results[0]!;
  };

  it("is cut where its sender allows it", () => {
    const { frame, also = [] } = run(fragmentable(request({ ...datagram, payload: pattern(1472) })));
    const sent = [frame!, ...also.map((other) => other.frame)].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
    expect(sent).toHaveLength(3);
    const whole = reassembled(sent, 600);
    expect(transportFault(whole)).toBe(0);
    expect(whole.subarray(42)).toEqual(pattern(1472));
  });

  it("is cut with the options in each fragment that are to be copied, and the others in the first", () => {
    const plain = fragmentable(request({ ...datagram, payload: pattern(1000) }));
    const recordRoute = [7, 3, 4, 1];
    const security = [130, 4, 0xaa, 0xbb];
    const long = Uint8Array.of(...plain.subarray(0, 34), ...recordRoute, ...security, ...plain.subarray(34));
    long.set([0x47, 0, (long.length - 14) >> 8, (long.length - 14) & 255], 14);
    long.set([0, 0], 24);
    const sum = internetChecksum(long.subarray(14, 42));
    long.set([sum >> 8, sum & 255], 24);
    const { frame, also = [] } = run(long);
    const sent = [frame!, ...also.map((other) => other.frame)].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
    expect(sent).toHaveLength(2);
    expect(sent.map((each) => each[14])).toEqual([0x47, 0x47]);
    expect(sent.map((each) => internetChecksum(each.subarray(14, 42)))).toEqual([0, 0]);
    expect([...sent[0]!.subarray(34, 42)]).toEqual([...recordRoute, ...security]);
    expect([...sent[1]!.subarray(34, 42)]).toEqual([1, 1, 1, 1, ...security]);
    const payload = sent.flatMap((each) => [...each.subarray(42)]);
    expect(payload.slice(8)).toEqual([...pattern(1000)]);
    expect(sent.map((each) => each.length - 14 <= 600)).toEqual([true, true]);
  });

  it("is cut when it is of SCTP, under the checksum of the whole", () => {
    const fields = { ...request(datagram), sourcePort: 40000, destinationPort: 80, chunk: 1 };
    const short = sctpFrame(fields);
    const whole = Uint8Array.of(...short, ...pattern(1000));
    whole.set([0, 0, 0, 0], 42);
    new DataView(whole.buffer).setInt32(42, crc32c(whole.subarray(34)), true);
    whole.set([(whole.length - 14) >> 8, (whole.length - 14) & 255], 16);
    whole.set([0, 0], 20);
    const frames = [{ iface: "wan", frame: Buffer.from(withIpv4Checksum(whole)).toString("hex") }];
    const vips = [{ addr: VIPS[4], proto: "sctp", port: 80, mode: "nat", backends: [{ addr: POD[4], port: 8080 }] }];
    const { frame, also = [] } = replay(parseScenario({ ...narrow, vips, id: "sctp", frames })).results[0]!;
    const sent = [frame!, ...also.map((other) => other.frame)].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
    expect(sent).toHaveLength(2);
    const packet = reassembled(sent, 600).slice(34);
    expect((packet[2]! << 8) | packet[3]!).toBe(8080);
    const sum = new DataView(packet.buffer).getInt32(8, true);
    packet.set([0, 0, 0, 0], 8);
    expect(sum).toBe(crc32c(packet));
  });

  it("is answered with the MTU where its sender does not", () => {
    const { verdict, frame } = run(segmentFrame(request({ ...datagram, payload: pattern(1472) })));
    expect(verdict).toBe("reply");
    expect(frame!.slice(68, 72)).toBe("0304");
    expect(Number.parseInt(frame!.slice(80, 84), 16)).toBe(600);
  });
});

/** A SYN-ACK of the pod with an MSS, behind so many options of one byte. */
function synAck(family: 4 | 6, mss: number, behind: number): Uint8Array {
  const options = new Uint8Array(8).fill(1);
  options.set([2, 4, mss >> 8, mss & 255], behind);
  return segmentFrame(podSegment(family, { payload: options, dataOffset: 7 }));
}

describe("the MSS of a backend's SYN-ACK", () => {
  const overhead = { "dsr-opt": [8, 24], "dsr-ipip": [20, 40], "dsr-gue": [28, 48], "dsr-geneve": [62, 94] } as const;

  it.each(
    MODES.flatMap((mode) =>
      ([4, 6] as const).flatMap((family) => [0, 1].map((behind) => [mode, family, behind] as const)),
    ),
  )("leaves room for what %s adds to requests over IPv%d (option at an offset of %d)", (mode, family, behind) => {
    const sender = node(SENDER, { mode });
    const receiver = node(RECEIVER, { mode });
    receiver.take(sender.take(segmentFrame(clientSegment(family))).frame);
    const headers = family === 4 ? 40 : 60;
    const limit = 1500 - headers - overhead[mode][family === 4 ? 0 : 1];
    const at = 14 + headers + behind + 2;
    const sent = receiver.take(synAck(family, 1460, behind), PODS).frame;
    expect((sent[at]! << 8) | sent[at + 1]!).toBe(limit);
    expect(transportFault(sent)).toBe(0);
    const small = receiver.take(synAck(family, 1200, behind), PODS).frame;
    expect((small[at]! << 8) | small[at + 1]!).toBe(1200);
  });

  it("stays as it is where nothing is added", () => {
    const { frame } = node(RECEIVER, { mode: "nat" }).take(segmentFrame(request({ protocol: "TCP", flags: SYN })));
    expect(frame.length).toBeGreaterThan(0);
    const receiver = node(RECEIVER, { mode: "nat" });
    receiver.take(segmentFrame(request({ destinationMac: "02:00:00:00:00:03", protocol: "TCP", flags: SYN })));
    const sent = receiver.take(synAck(4, 1460, 0), PODS).frame;
    expect((sent[56]! << 8) | sent[57]!).toBe(1460);
  });
});

describe("the MSS of a connection through a port with less room than the others", () => {
  const { node: gateway } = configs.nat;
  const wide = { ...configs.nat.node.ifaces.wan, mtu: 9000 };
  const narrow = { ...configs.nat.node.ifaces.lan, mtu: 1400 };
  const options = (mss: number) => Uint8Array.of(2, 4, mss >> 8, mss & 255);
  const ends = (family: 4 | 6) => ({
    syn: { source: CLIENT[family], destination: VIPS[family], sourcePort: 40000, destinationPort: 80, flags: SYN },
    synAck: {
      source: POD[family],
      destination: CLIENT[family],
      sourcePort: 8080,
      destinationPort: 40000,
      flags: SYN_ACK,
    },
  });
  const macs = {
    wan: { destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00" },
    lan: { destinationMac: "02:00:00:00:0b:00", sourceMac: "02:00:00:00:0b:01" },
  };

  it.each([4, 6] as const)("is what that has room for, in both directions (IPv%s)", (family) => {
    const { syn, synAck } = ends(family);
    const segment = (over: object, iface: "wan" | "lan", mss: number) => ({
      iface,
      frame: Buffer.from(
        segmentFrame(request({ ...macs[iface], ...over, protocol: "TCP", payload: options(mss), dataOffset: 6 })),
      ).toString("hex"),
    });
    const frames = [
      segment(syn, "wan", 8960),
      segment(synAck, "lan", 8960),
      segment({ ...syn, sourcePort: 40001 }, "wan", 500),
    ];
    const node = { ...gateway, ifaces: { ...gateway.ifaces, wan: wide, lan: narrow } };
    const { results } = replay(parseScenario({ ...configs.nat, node, id: "mss", frames }));
    const sent = results.map(({ frame }) => Uint8Array.from(Buffer.from(frame!, "hex")));
    const at = family === 4 ? 56 : 76;
    const limit = 1400 - (family === 4 ? 40 : 60);
    expect(sent.map((frame) => (frame[at]! << 8) | frame[at + 1]!)).toEqual([limit, limit, 500]);
    expect(sent.map(transportFault)).toEqual([0, 0, 0]);
  });
});

/** A router's word about a tunnel, with as little of it as RFC 792 asks for. */
function tunnelTooLong(tunnel: Uint8Array, mtu: number): Uint8Array {
  const frame = segmentFrame(request({ destination: SENDER[4], payload: tunnel.subarray(14, 14 + 28) }));
  frame[23] = 1;
  frame.set([3, 4, 0, 0, 0, 0, mtu >> 8, mtu & 255], IPV4_HEADER);
  const checksum = internetChecksum(frame.subarray(IPV4_HEADER));
  frame.set([checksum >> 8, checksum & 255], 36);
  return withIpv4Checksum(frame);
}

describe.each(["dsr-ipip", "dsr-gue", "dsr-geneve"] as const)(
  "a router that has less room for tunnels (%s)",
  (mode) => {
    const open = () => {
      const sender = node(SENDER, { mode });
      sender.take(segmentFrame(request({ protocol: "TCP", flags: SYN })));
      return { sender, tunnel: sender.take(segmentFrame(request({ protocol: "TCP", flags: ACK }))).frame };
    };
    const large = segmentFrame(request({ protocol: "TCP", flags: ACK, payload: pattern(1300) }));

    it("is heard, and the client is told what it leaves for it", () => {
      const { sender, tunnel } = open();
      expect(sender.take(large).verdict).toBe(Verdict.Transmit);
      expect(sender.take(tunnelTooLong(tunnel, 1300)).reason).toBe("TunnelPathMtu");
      const told = sender.take(large);
      expect(told.verdict).toBe(Verdict.Reply);
      expect([...told.frame.subarray(30, 34)]).toEqual(addressBytes(CLIENT[4]));
      const grown = { "dsr-ipip": 20, "dsr-gue": 28, "dsr-geneve": 50 }[mode];
      expect((told.frame[40]! << 8) | told.frame[41]!).toBe(1300 - grown);
      const small = request({ protocol: "TCP", flags: ACK, payload: pattern(1300 - grown - 40) });
      expect(sender.take(segmentFrame(small)).frame.length - 14).toBe(1300);
    });

    it("is forgotten after ten minutes, and not believed below what every host takes", () => {
      const { sender, tunnel } = open();
      sender.take(tunnelTooLong(tunnel, 400));
      expect(sender.take(large).verdict).toBe(Verdict.Transmit);
      sender.take(tunnelTooLong(tunnel, 1300));
      expect(sender.take(large).verdict).toBe(Verdict.Reply);
      expect(sender.take(large, 0, 700).verdict).toBe(Verdict.Transmit);
    });
  },
);

it.each(["dsr-gue", "dsr-geneve"] as const)("a tunnel whose own UDP checksum is wrong is not opened (%s)", (mode) => {
  const tunnel = node(SENDER, { mode, outer: 6 }).take(segmentFrame(request())).frame;
  expect(node(RECEIVER, { mode }).take(tunnel.slice()).port).toBe(PODS);
  tunnel[tunnel.length - 1]! ^= 1;
  expect(node(RECEIVER, { mode }).take(tunnel).reason).toBe("TunnelInvalid");
});

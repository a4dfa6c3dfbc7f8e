/**
 * As differential.test.ts, for frames that change their length on the way: VLAN tags, and both sides of direct server return.
 * What the receiving side gets is what the sending side has made of the same flow.
 */
import { describe, expect, test } from "vitest";
import { replay } from "../../src/replay/replay.ts";
import { parseScenario } from "../../src/replay/scenario.ts";
import { type Dress, mutated, randomFlow, xorshift } from "./random-flow.ts";
import { type Frames, packetNode, play } from "./twin-scenarios.ts";
import { openTwinStage } from "./twin-stage.ts";

const stage = openTwinStage();
const { tally } = stage;

const SEEDS = [1, 2];
const FLOWS = 8;
const VIPS = ["198.51.100.10", "2001:db8:ff::10"];
const BACKENDS = [
  ["10.2.0.2", "10.2.0.3"],
  ["2001:db8:2::2", "2001:db8:2::3"],
];
const SENDER = { mac: "02:00:00:00:0a:01", ends: ["10.1.0.1", "2001:db8:1::1"] };
const RECEIVER = { mac: "02:00:00:00:0a:03", ends: ["10.1.0.3", "2001:db8:1::3"] };

type Tags = readonly (readonly [number, number])[];

interface PacketNode {
  readonly ifaces: Readonly<Record<"wan" | "lan", Record<string, unknown>>>;
  readonly routes: readonly { readonly dst: string }[];
  readonly neighbors: Readonly<Record<string, string>>;
  readonly owned_addrs: readonly string[];
}

/** The packet scenarios' node with VIPs of a mode; `outer` is the family of tunnels, by default the packet's. */
function nodeOf(own: typeof SENDER, mode: string, tags: Tags, outer: 4 | 6 | null, byteOrder = "little") {
  const { ifaces, routes, neighbors, owned_addrs } = packetNode("nat")["node"] as PacketNode;
  const atPods = own === RECEIVER;
  const port = mode === "dsr-ipip" || mode === "dsr-gue" || mode === "dsr-l2" ? 80 : 8080;
  const vlan = tags.length === 0 ? {} : { vlan: tags };
  const wan = { ...ifaces.wan, ...vlan, mac: own.mac, ipv4: `${own.ends[0]}/16`, ipv6: `${own.ends[1]}/64` };
  const toPods = atPods ? {} : { iface: "wan" };
  return {
    node: {
      ifaces: { wan, lan: ifaces.lan },
      routes: [
        ...routes.filter(({ dst }) => dst.includes("/0")),
        { dst: "10.1.0.0/16", iface: "wan" },
        { dst: "2001:db8:1::/64", iface: "wan" },
        { dst: "10.2.0.0/16", iface: "lan", ...(mode === "nat" ? {} : toPods), ...viaReceiver(mode, atPods, 0) },
        { dst: "2001:db8:2::/64", iface: "lan", ...(mode === "nat" ? {} : toPods), ...viaReceiver(mode, atPods, 1) },
      ],
      neighbors: { ...neighbors, [RECEIVER.ends[0]!]: RECEIVER.mac, [RECEIVER.ends[1]!]: RECEIVER.mac },
      owned_addrs,
    },
    vips: VIPS.flatMap((addr, family) =>
      ["tcp", "udp"].map((proto) => ({
        ...{ addr, proto, port: 80, mode, snat: "none" },
        backends: BACKENDS[family]!.map((backend) => ({
          ...{ addr: backend, port, weight: 1 },
          ...(mode === "nat" || mode === "dsr-l2"
            ? {}
            : { node: RECEIVER.ends[outer === null ? family : outer === 4 ? 0 : 1] }),
        })),
      })),
    ),
    tunnel: { src4: own.ends[0], src6: own.ends[1], peers: ["10.1.0.0/16", "2001:db8:1::/64"] },
    dsr_opt: { v4_byte_order: byteOrder },
  };
}

function viaReceiver(mode: string, atPods: boolean, family: number): Record<string, unknown> {
  return mode === "nat" || mode === "dsr-l2" || atPods ? {} : { via: RECEIVER.ends[family] };
}

const dressOf = (mode: string, tags: Tags): Dress => ({
  tags,
  backendPort: mode === "dsr-ipip" || mode === "dsr-gue" || mode === "dsr-l2" ? 80 : 8080,
  // Datagrams without replies go over after the first ten.
  sound: mode === "nat" ? 0 : 12,
});

describe.each([
  ["VLAN", [[0x8100, 100]]],
  [
    "QinQ",
    [
      [0x88a8, 10],
      [0x8100, 100],
    ],
  ],
] as [string, Tags][])("%s", (_name, tags) => {
  test.each(SEEDS)("seed %i", (seed) => {
    const next = xorshift(seed * 0x9e3779b1);
    const before = tally.forwarded;
    tally.left.splice(0);
    for (let flow = 0; flow < FLOWS; flow++) {
      play(stage, {
        id: `${seed}-${flow}`,
        ...nodeOf(SENDER, "nat", tags, null),
        frames: randomFlow(next, dressOf("nat", tags)),
      });
    }
    expect(tally.forwarded - before).toBeGreaterThan(FLOWS * 5);
    expect(tally.left.map((frame) => Buffer.from(frame).toString("hex"))).toEqual([]);
  });
});

const MODES: [string, 4 | 6 | null, Tags, string?][] = [
  ["dsr-opt", null, []],
  ["dsr-opt", null, [], "network"],
  ["dsr-opt", null, [[0x8100, 100]]],
  ["dsr-l2", null, []],
  ["dsr-ipip", null, []],
  ["dsr-ipip", 4, []],
  ["dsr-ipip", 6, []],
  ["dsr-gue", null, []],
  ["dsr-gue", 4, []],
  ["dsr-gue", 6, []],
  ["dsr-geneve", null, []],
  ["dsr-geneve", 4, []],
  ["dsr-geneve", 6, []],
  ["dsr-geneve", null, [[0x8100, 100]]],
];

describe.each(MODES)("%s in tunnels of family %s, tags %j, order %s", (mode, outer, tags, byteOrder) => {
  test.each(SEEDS)("the sending side, seed %i", (seed) => {
    const next = xorshift(seed * 0x85ebca6b);
    const before = tally.forwarded;
    tally.left.splice(0);
    for (let flow = 0; flow < FLOWS; flow++) {
      const frames = randomFlow(next, dressOf(mode, tags));
      play(stage, { id: `${seed}-${flow}`, ...nodeOf(SENDER, mode, tags, outer, byteOrder), frames });
    }
    expect(tally.forwarded - before).toBeGreaterThan(FLOWS * 10);
    // Over IPv6 the packet's own checksum has to be there.
    if (outer === 4)
      expect(tally.left.filter(isPlainRequest).map((frame) => Buffer.from(frame).toString("hex"))).toEqual([]);
  });
});

describe.each(MODES.filter(([mode]) => mode !== "dsr-l2"))(
  "%s in tunnels of family %s, tags %j, order %s",
  (mode, outer, tags, byteOrder) => {
    test.each(SEEDS)("the receiving side, seed %i", (seed) => {
      const next = xorshift(seed * 0xc2b2ae35);
      const before = tally.forwarded;
      tally.left.splice(0);
      for (let flow = 0; flow < FLOWS; flow++) {
        const frames = arriving(randomFlow(next, dressOf(mode, tags)), mode, tags, outer, byteOrder, next);
        play(stage, { id: `${seed}-${flow}`, ...nodeOf(RECEIVER, mode, tags, outer, byteOrder), frames });
      }
      // What is in UDP over IPv6 has a checksum, which the worker verifies: replies alone are XDP's.
      expect(tally.forwarded - before).toBeGreaterThan(FLOWS * 3);
    });
  },
);

/** Neither a SYN, which may begin a flow anew, nor one that may have to be cut. */
function isPlainRequest(frame: Uint8Array): boolean {
  const flags = frame[frame[12] === 0x08 ? 47 : 67]!;
  const isTcp = (frame[12] === 0x08 ? frame[23] : frame[20]) === 6;
  return frame.length < 1400 && !(isTcp && (flags & 0x12) === 0x02);
}

/** What the pods' node gets: requests as the sending side has made them, some of them broken on the way, and the pods' replies. */
function arriving(
  frames: Frames,
  mode: string,
  tags: Tags,
  outer: 4 | 6 | null,
  byteOrder: string | undefined,
  next: () => number,
): Frames {
  const sender = parseScenario({ id: "sender", ...nodeOf(SENDER, mode, tags, outer, byteOrder), frames });
  const { results } = replay(sender);
  return frames.flatMap((frame, at) => {
    if (frame["iface"] === "lan") return [frame];
    const { verdict, frame: sent } = results[at]!;
    if (verdict !== "tx") return [];
    const bytes = Uint8Array.from(Buffer.from(sent!, "hex"));
    // The first ones open the flow.
    const broken = at > 6 && next() % 4 === 0 ? mutated(bytes, next) : bytes;
    return broken.length < 14 ? [] : [{ iface: "wan", frame: Buffer.from(broken).toString("hex") }];
  });
}

/** How new flows find their backends: shares by weight, the least loaded, clients that keep theirs. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type FrameResult, replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { ipv4Frame } from "./fixtures/frames.ts";

const { configs } = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8"));
const SYN = 0x02;
const ACK = 0x10;
const FIN_ACK = 0x11;
const BACKENDS = ["10.2.0.2", "10.2.0.3", "10.2.0.4"];

interface VipFields {
  readonly port?: number;
  readonly weights?: readonly number[];
  readonly without?: string;
  readonly draining?: string;
  readonly balancing?: string;
  readonly affinity?: object;
}

function vip({ port = 80, weights = [1, 1, 1], without, draining, ...rest }: VipFields) {
  const backends = BACKENDS.map((addr, index) => ({ addr, port: 8000 + port, weight: weights[index] })).filter(
    ({ addr }) => addr !== without,
  );
  const state = (addr: string) => (addr === draining ? { state: "draining" } : {});
  return {
    service: "shop/web",
    addr: "198.51.100.10",
    proto: "tcp",
    port,
    mode: "nat",
    snat: "none",
    backends: backends.map((backend) => ({ ...backend, ...state(backend.addr) })),
    ...rest,
  };
}

const node = {
  ...configs.nat.node,
  neighbors: { ...configs.nat.node.neighbors, "10.2.0.4": "02:00:00:00:0b:03" },
};

function run(vips: readonly object[], frames: readonly object[]): readonly FrameResult[] {
  return replay(parseScenario({ ...configs.nat, node, policy: {}, id: "balancing", vips, frames })).results;
}

function segment(client: number, flags = SYN, port = 80, clientPort = 40000) {
  const frame = ipv4Frame({
    destinationMac: "02:00:00:00:0a:01",
    sourceMac: "02:00:00:00:0a:00",
    source: `203.0.${client >> 8}.${client & 255}`,
    destination: "198.51.100.10",
    sourcePort: clientPort,
    destinationPort: port,
    protocol: 6,
    flags,
  });
  return { iface: "wan", frame: Buffer.from(frame).toString("hex") };
}

function answer(client: number, backend: string, flags: number) {
  const frame = ipv4Frame({
    destinationMac: "02:00:00:00:0b:00",
    sourceMac: "02:00:00:00:0b:01",
    source: backend,
    destination: `203.0.${client >> 8}.${client & 255}`,
    sourcePort: 8080,
    destinationPort: 40000,
    protocol: 6,
    flags,
  });
  return { iface: "lan", frame: Buffer.from(frame).toString("hex") };
}

const backendOf = ({ frame }: FrameResult) => [...Buffer.from(frame!, "hex").subarray(30, 34)].join(".");

function shares(results: readonly FrameResult[]): number[] {
  return BACKENDS.map((backend) => results.filter((result) => backendOf(result) === backend).length);
}

const clients = (count: number) => Array.from({ length: count }, (_, client) => segment(client));

describe.each(["maglev", "random"])("balancing by %s", (balancing) => {
  it("gives shares that follow the weights, none to a weight of 0", () => {
    const [one, three, none] = shares(run([vip({ balancing, weights: [1, 3, 0] })], clients(1200)));
    expect(none).toBe(0);
    expect(one! / 1200).toBeGreaterThan(0.2);
    expect(one! / 1200).toBeLessThan(0.3);
    expect(one! + three!).toBe(1200);
  });
});

describe("balancing by maglev", () => {
  it("gives a flow that ended the same backend again", () => {
    const frames = [segment(1), { advanceSeconds: 61 }, { advanceSeconds: 3 }, segment(1)];
    for (let client = 0; client < 20; client++) {
      const [first, again] = run([vip({})], [segment(client), { advanceSeconds: 64 }, segment(client)]);
      expect(backendOf(again!)).toBe(backendOf(first!));
    }
    expect(run([vip({})], frames)).toHaveLength(2);
  });
});

describe("balancing by least connections", () => {
  it("evens out, and follows the weights", () => {
    const even = shares(run([vip({ balancing: "least-connections" })], clients(300)));
    expect(even).toEqual([100, 100, 100]);
    const weighted = shares(run([vip({ balancing: "least-connections", weights: [1, 2, 3] })], clients(300)));
    expect(weighted).toEqual([50, 100, 150]);
  });

  it("fills up the backend whose flows have ended", () => {
    const open = clients(30);
    const first = run([vip({ balancing: "least-connections" })], open);
    const [idle] = BACKENDS;
    const theirs = first.flatMap((result, client) => (backendOf(result) === idle ? [client] : []));
    const end = theirs.flatMap((client) => [answer(client, idle!, FIN_ACK), segment(client, FIN_ACK)]);
    const busy = first.flatMap((result, client) =>
      backendOf(result) === idle ? [] : [answer(client, backendOf(result), 0x12), segment(client, ACK)],
    );
    const more = Array.from({ length: 10 }, (_, client) => segment(1000 + client));
    const frames = [...open, ...busy, ...end, { advanceSeconds: 61 }, ...more];
    const last = run([vip({ balancing: "least-connections" })], frames).slice(-10);
    expect(shares(last)).toEqual([10, 0, 0]);
  });
});

describe("client affinity", () => {
  const affinity = { type: "ClientIP", timeout_s: 100 };
  const both = (fields: VipFields) => [vip({ affinity, ...fields }), vip({ affinity, port: 443, ...fields })];

  it("keeps a client to one backend on all ports of the Service", () => {
    for (let client = 0; client < 20; client++) {
      const results = run(both({ balancing: "random" }), [
        segment(client),
        segment(client, SYN, 443),
        segment(client, SYN, 80, 40001),
        segment(client, SYN, 443, 40002),
      ]);
      expect(new Set(results.map(backendOf)).size).toBe(1);
    }
  });

  it("outlives a change of backends that would have moved the client", () => {
    let kept = 0;
    for (let client = 0; client < 60; client++) {
      const before = both({ without: BACKENDS[2]! });
      const results = run(before, [segment(client), { vips: both({}) }, segment(client, SYN, 443)]);
      const fresh = run(both({}), [segment(client, SYN, 443)]);
      expect(backendOf(results.at(-1)!)).toBe(backendOf(results[0]!));
      if (backendOf(fresh[0]!) !== backendOf(results[0]!)) kept++;
    }
    expect(kept).toBeGreaterThan(5);
  });

  it("ends with its timeout, counted from the client's last new flow", () => {
    let moved = 0;
    for (let client = 0; client < 60; client++) {
      const grown = { vips: both({}) };
      const results = run(both({ without: BACKENDS[2]! }), [
        segment(client),
        { advanceSeconds: 99 },
        segment(client, SYN, 80, 40001),
        grown,
        { advanceSeconds: 99 },
        segment(client, SYN, 80, 40002),
        { advanceSeconds: 101 },
        segment(client, SYN, 80, 40003),
      ]);
      const sent = results.filter(({ frame }) => frame !== undefined).map(backendOf);
      expect(new Set(sent.slice(0, 3)).size).toBe(1);
      if (sent[3] !== sent[0]) moved++;
    }
    expect(moved).toBeGreaterThan(5);
  });

  it("lets go of a backend that drains", () => {
    const [first] = run(both({}), [segment(7)]);
    const drained = both({ draining: backendOf(first!) });
    const results = run(both({}), [segment(7), { vips: drained }, segment(7, SYN, 443)]);
    expect(backendOf(results.at(-1)!)).not.toBe(backendOf(first!));
  });
});

describe("a backend that goes", () => {
  const established = (client: number, backend: string) => [
    segment(client),
    answer(client, backend, 0x12),
    segment(client, ACK),
  ];

  it("keeps its flows while it drains, and loses them when it is gone", () => {
    const first = run([vip({})], [segment(3)]);
    const backend = backendOf(first[0]!);
    const open = established(3, backend);
    const draining = run([vip({})], [...open, { vips: [vip({ draining: backend })] }, segment(3, ACK)]);
    expect(backendOf(draining.at(-1)!)).toBe(backend);
    const gone = run([vip({})], [...open, { vips: [vip({ without: backend })] }, segment(3, ACK)]);
    expect(backendOf(gone.at(-1)!)).not.toBe(backend);
  });

  it("has a connection that it never answered taken from it when its client tries again", () => {
    const first = run([vip({})], [segment(3)]);
    const backend = backendOf(first[0]!);
    const draining = { vips: [vip({ draining: backend })] };
    const again = run([vip({})], [segment(3), draining, segment(3)]);
    expect(backendOf(again.at(-1)!)).not.toBe(backend);
    const answered = run([vip({})], [segment(3), answer(3, backend, 0x12), draining, segment(3)]);
    expect(backendOf(answered.at(-1)!)).toBe(backend);
  });
});

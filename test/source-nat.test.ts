/** Source NAT through the pipeline: every flow has a source of its own, and its replies find the way back. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DropReason } from "../src/dataplane/drop-reason.ts";
import { type FrameResult, replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { ipv4Frame } from "./fixtures/frames.ts";
import { gateway, WAN } from "./fixtures/gateway.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const { configs } = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8"));
const GATEWAY = "10.2.0.1";
const BACKEND = "10.2.0.2";
const SYN = 0x02;
const SYN_ACK = 0x12;

const hex = (frame: Uint8Array) => Buffer.from(frame).toString("hex");

function request(client: string, port: number): { iface: string; frame: string } {
  const frame = ipv4Frame({
    destinationMac: "02:00:00:00:0a:01",
    sourceMac: "02:00:00:00:0a:00",
    source: client,
    destination: "198.51.100.10",
    sourcePort: port,
    destinationPort: 80,
    protocol: 6,
    flags: SYN,
  });
  return { iface: "wan", frame: hex(frame) };
}

function answer(port: number): { iface: string; frame: string } {
  const frame = ipv4Frame({
    destinationMac: "02:00:00:00:0b:00",
    sourceMac: "02:00:00:00:0b:01",
    source: BACKEND,
    destination: GATEWAY,
    sourcePort: 8080,
    destinationPort: port,
    protocol: 6,
    flags: SYN_ACK,
  });
  return { iface: "lan", frame: hex(frame) };
}

/** `address:port > address:port` of a frame that left. */
function ends({ frame }: FrameResult): string {
  const bytes = Buffer.from(frame!, "hex");
  const end = (address: number, port: number) =>
    `${[...bytes.subarray(address, address + 4)].join(".")}:${bytes.readUInt16BE(port)}`;
  return `${end(26, 34)} > ${end(30, 36)}`;
}

function run(frames: readonly object[]): readonly FrameResult[] {
  return replay(parseScenario({ ...configs["snat-range"], id: "source-nat", frames })).results;
}

describe("source NAT", () => {
  it("gives two clients that use one port a source of their own, and leads each reply back", () => {
    const results = run([request("203.0.113.1", 40000), request("203.0.113.2", 40000), answer(40000), answer(40001)]);
    expect(results.map(ends)).toEqual([
      `${GATEWAY}:40000 > ${BACKEND}:8080`,
      `${GATEWAY}:40001 > ${BACKEND}:8080`,
      "198.51.100.10:80 > 203.0.113.1:40000",
      "198.51.100.10:80 > 203.0.113.2:40000",
    ]);
  });

  it("drops a new flow when all ports are taken, and the flows that have them go on", () => {
    const clients = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    const results = run([...clients.map((client) => request(client, 5000)), request("203.0.113.1", 5000)]);
    expect(results[2]).toMatchObject({ verdict: "drop", reason: "SourcePortsExhausted" });
    expect(ends(results[3]!)).toBe(ends(results[0]!));
  });

  it("gives a port again when its flow has ended and the backend has forgotten it", () => {
    const results = run([
      request("203.0.113.1", 5000),
      request("203.0.113.2", 5000),
      { advanceSeconds: 61 },
      { advanceSeconds: 3 },
      request("203.0.113.3", 5000),
    ]);
    expect(results[2]!.verdict).toBe("tx");
  });
});

describe("a source port whose connection has ended", () => {
  const FIN_ACK = 0x11;
  const hour = 3_600_000;
  const macs = {
    wan: { destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00" },
    lan: { destinationMac: "02:00:00:00:0b:00", sourceMac: "02:00:00:00:0b:01" },
  };
  /** From a client, with what its clock shows in a SYN. */
  const send = (client: string, port: number, flags: number, clock = 0) => {
    const options = Uint8Array.of(8, 10, clock >>> 24, clock >>> 16, clock >>> 8, clock, 0, 0, 0, 0, 1, 1);
    const hasClock = flags === SYN ? { payload: options, dataOffset: 8 } : {};
    const ends = { source: client, destination: "198.51.100.10", sourcePort: port, destinationPort: 80 };
    const segment = { ...macs.wan, ...ends, ...hasClock, protocol: "TCP" as const, flags };
    return { iface: "wan", frame: hex(segmentFrame(segment)) };
  };
  const reply = (port: number, flags: number) => {
    const ends = { source: BACKEND, destination: GATEWAY, sourcePort: 8080, destinationPort: port };
    return { iface: "lan", frame: hex(segmentFrame({ ...macs.lan, ...ends, protocol: "TCP" as const, flags })) };
  };
  /** A connection that its backend closes first. */
  const connection = (client: string, port: number, clock: number, translated: number) => [
    send(client, port, SYN, clock),
    reply(translated, SYN_ACK),
    reply(translated, FIN_ACK),
    send(client, port, FIN_ACK),
  ];
  const FIRST = 40_000;
  const sourceOf = (frames: readonly object[], ports = [FIRST, FIRST + 1]) => {
    const snat = { ...configs["snat-range"].snat, ports };
    const { results } = replay(parseScenario({ ...configs["snat-range"], snat, id: "again", frames }));
    return Buffer.from(results.at(-1)!.frame!, "hex").readUInt16BE(34);
  };
  const both = [
    ...connection("203.0.113.1", FIRST, 100 * hour, FIRST),
    ...connection("203.0.113.2", FIRST, 500 * hour, FIRST + 1),
    { advanceSeconds: 5 },
  ];

  it("goes to a connection whose clock the backend takes for a later one", () => {
    expect(sourceOf([...both, send("203.0.113.3", 5000, SYN, 200 * hour)])).toBe(FIRST);
    expect(sourceOf([...both, send("203.0.113.3", 5000, SYN, 800 * hour)])).toBe(FIRST + 1);
  });

  it("goes there even if that is the only one of a hundred", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index);
    const later = FIRST + 50;
    const ended = hundred.flatMap((n) =>
      connection(`203.0.113.${n}`, FIRST + n, (n === 50 ? 100 : 500) * hour, FIRST + n),
    );
    for (const client of [101, 102, 103, 104, 105]) {
      const frames = [...ended, { advanceSeconds: 5 }, send(`203.0.113.${client}`, 5000, SYN, 200 * hour)];
      expect(sourceOf(frames, [FIRST, FIRST + 99])).toBe(later);
    }
  });

  it("goes to the client that had it when that begins anew, whatever its clock shows", () => {
    for (const client of [1, 2]) {
      const again = send(`203.0.113.${client}`, FIRST, SYN, 50 * hour);
      expect(sourceOf([...both, again])).toBe(FIRST + client - 1);
    }
  });
});

/** Microseconds for each new flow of a batch; the least of several turns. */
function costOfNewFlow(net: ReturnType<typeof gateway>, firstClient: number): number {
  const FLOWS = 50;
  const TURNS = 60;
  const { batch, bytes, pipeline } = net;
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < FLOWS; i++) {
      const client = firstClient + turn * FLOWS + i;
      const frame = ipv4Frame({
        destinationMac: "02:00:00:00:0a:01",
        sourceMac: "02:00:00:00:0a:00",
        source: `12.${client >> 16}.${(client >> 8) & 255}.${client & 255}`,
        destination: "198.51.100.10",
        sourcePort: 1000 + (client & 255),
        destinationPort: 80,
        protocol: 6,
        flags: SYN,
      });
      bytes.set(frame, i * 512 + 256);
      batch.offset[i] = i * 512 + 256;
      batch.length[i] = frame.length;
      batch.port[i] = WAN;
    }
    batch.count = FLOWS;
    const start = performance.now();
    pipeline.run(2000);
    least = Math.min(least, ((performance.now() - start) * 1000) / FLOWS);
  }
  return least;
}

it("a new flow costs no more than twice another drop when the ports are exhausted", () => {
  // 4,536 ports and one backend, and none of these flows ends.
  const exhausted = gateway(50, 1 << 16, 1 << 16, undefined, { sourceNat: "node" });
  costOfNewFlow(exhausted, 0);
  costOfNewFlow(exhausted, 10_000);
  const nobody = { action: "allow", ranges: [] } as const;
  const closed = gateway(50, 1 << 16, 1 << 16, undefined, { sources: nobody });
  costOfNewFlow(closed, 0);
  const costs = Array.from({ length: 5 }, (_, round) => {
    const drop = costOfNewFlow(closed, 20_000 + round * 3000);
    return costOfNewFlow(exhausted, 20_000 + round * 3000) / drop;
  });
  expect(exhausted.counters.reasons[DropReason.SourcePortsExhausted]).toBeGreaterThan(15_000);
  expect(Math.min(...costs)).toBeLessThan(2);
});

it("under any sequence of flows and pauses: ports of the pool, one flow each, and the way back to its client", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("open" as const), client: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 40 }) }),
  );
  const FIRST = 40_000;
  const LAST = 40_009;
  const snat = { ...configs["snat-range"].snat, ports: [FIRST, LAST] };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const frames: object[] = [];
      const opened: { at: number; client: number; second: number }[] = [];
      let second = 0;
      for (const one of steps) {
        if (one.kind === "wait") {
          frames.push({ advanceSeconds: one.seconds });
          second += one.seconds;
        } else {
          opened.push({ at: frames.filter((frame) => "frame" in frame).length, client: one.client, second });
          frames.push(request(`203.0.113.${one.client}`, 5000));
        }
      }
      const results = replay(parseScenario({ ...configs["snat-range"], snat, id: "any", frames })).results;
      // The slow twin: who has which port, by what has been seen to leave.
      const holder = new Map<number, { port: number; second: number }>();
      for (const { at, client, second: now } of opened) {
        const result = results[at]!;
        if (result.verdict !== "tx") {
          expect(result.reason).toBe("SourcePortsExhausted");
          continue;
        }
        const port = Buffer.from(result.frame!, "hex").readUInt16BE(34);
        expect(port).toBeGreaterThanOrEqual(FIRST);
        expect(port).toBeLessThanOrEqual(LAST);
        for (const [other, taken] of holder) {
          if (taken.port !== port || other === client) continue;
          expect(now - taken.second).toBeGreaterThanOrEqual(60);
          holder.delete(other);
        }
        holder.set(client, { port, second: now });
      }
      const answers = [...holder].map(([client, { port }]) => ({ client, frame: answer(port) }));
      const again = replay(
        parseScenario({
          ...configs["snat-range"],
          snat,
          id: "back",
          frames: [...frames, ...answers.map(({ frame }) => frame)],
        }),
      ).results.slice(-answers.length || results.length);
      answers.forEach(({ client }, index) => {
        const { verdict, frame } = again[index]!;
        if (verdict === "tx") expect(Buffer.from(frame!, "hex").readUInt8(33)).toBe(client);
      });
    }),
    { numRuns: 40 },
  );
});

/**
 * XDP and the TypeScript pipeline on the same frames, tables and addresses: what XDP forwards is byte for byte what the
 * pipeline makes of it, and what it doesn't forward it leaves as it was. On every packet scenario, and on random traffic.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { segmentFrame } from "../fixtures/segments.ts";
import { randomFlow, xorshift } from "./random-flow.ts";
import { DOCUMENTED_SCENARIOS, PACKET_SCENARIOS, packetNode, play } from "./twin-scenarios.ts";
import { openTwinStage } from "./twin-stage.ts";

const stage = openTwinStage();
const { tally } = stage;

describe("packet scenarios", () => {
  test.each(PACKET_SCENARIOS)("%s", (_id, scenario) => play(stage, scenario));

  test("some of their frames were XDP's to forward", () => {
    expect(tally.forwarded).toBeGreaterThan(0);
  });
});

describe("documented scenarios", () => {
  test.each(DOCUMENTED_SCENARIOS)("%s", (_id, scenario) => play(stage, scenario));
});

const ends = {
  4: { client: "203.0.113.9", vip: "198.51.100.10", backend: "10.2.0.2" },
  6: { client: "2001:db8:c::9", vip: "2001:db8:ff::10", backend: "2001:db8:2::2" },
};
const wan = { iface: "wan", destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00" };
const lan = { iface: "lan", destinationMac: "02:00:00:00:0b:00", sourceMac: "02:00:00:00:0b:01" };
const [SYN, SYN_ACK, ACK, PSH_ACK, FIN_ACK] = [2, 0x12, 0x10, 0x18, 0x11] as const;

function step(family: 4 | 6, side: typeof wan, flags: number) {
  const { client, vip, backend } = ends[family];
  const [source, destination] = side === wan ? [client, vip] : [backend, client];
  const ports = side === wan ? [40_000, 80] : [8080, 40_000];
  const [sourcePort, destinationPort] = ports as [number, number];
  const segment = { ...side, source, destination, sourcePort, destinationPort, protocol: "TCP" as const, flags };
  return { iface: side.iface, frame: Buffer.from(segmentFrame(segment)).toString("hex") };
}

function begun(family: 4 | 6) {
  return [step(family, wan, SYN), step(family, lan, SYN_ACK), step(family, wan, ACK), step(family, wan, FIN_ACK)];
}

/** How many of the frames XDP forwards. */
function forwardedBy(id: string, frames: readonly Record<string, unknown>[]): number {
  const before = tally.forwarded;
  play(stage, { ...packetNode("nat"), id, frames });
  return tally.forwarded - before;
}

describe("what a client says that has closed, after a silence", () => {
  test.each([
    [4, "data", PSH_ACK],
    [4, "an acknowledgement", ACK],
    [6, "data", PSH_ACK],
    [6, "an acknowledgement", ACK],
  ] as const)(
    "is left to the worker, which opens a flow by it when both have closed (IPv%i, %s)",
    (family, what, flags) => {
      const late = [{ advanceSeconds: 5 }, step(family, wan, flags)];
      const halfClosed = forwardedBy(`half-closed-${family}-${what}`, [...begun(family), ...late]);
      const closed = forwardedBy(`closed-${family}-${what}`, [...begun(family), step(family, lan, FIN_ACK), ...late]);
      // Of the first all but the SYN, of the second neither the SYN nor what comes late.
      expect([halfClosed, closed]).toEqual([4, 4]);
    },
  );
});

describe("the SYN-ACK of a backend to a client that speaks to it directly", () => {
  test.each([4, 6] as const)("ends the reply row of a flow that is over, and what follows passes (IPv%i)", (family) => {
    const direct = [step(family, lan, SYN_ACK), step(family, lan, PSH_ACK)];
    const living = forwardedBy(`living-${family}`, [...begun(family), ...direct]);
    const over = forwardedBy(`over-${family}`, [...begun(family), step(family, lan, FIN_ACK), ...direct]);
    expect([living, over]).toEqual([5, 4]);
  });
});

describe("random traffic of established flows", () => {
  beforeAll(() => tally.left.splice(0));

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    const next = xorshift(seed * 0x9e3779b1);
    const forwardedBefore = tally.forwarded;
    for (let flow = 0; flow < 12; flow++) {
      play(stage, { ...packetNode("nat"), id: `random-${seed}-${flow}`, frames: randomFlow(next) });
    }
    // Half of the frames are mutated, and half of the replies are not of the flow's backend.
    expect(tally.forwarded - forwardedBefore).toBeGreaterThan(12 * 5);
  });

  test("XDP leaves none of their frames to the worker that the worker would send", () => {
    expect(tally.left.map((frame) => Buffer.from(frame).toString("hex"))).toEqual([]);
  });
});

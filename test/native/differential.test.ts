/**
 * XDP and the TypeScript pipeline on the same frames, tables and addresses: what XDP forwards is byte for byte what the
 * pipeline makes of it, and what it doesn't forward it leaves as it was. On every packet scenario, and on random traffic.
 */
import { beforeAll, describe, expect, test } from "vitest";
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

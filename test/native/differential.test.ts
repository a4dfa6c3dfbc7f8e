/**
 * XDP and the TypeScript pipeline on the same frames, tables and addresses: what XDP forwards is byte for byte what the
 * pipeline makes of it, and what it doesn't forward it leaves as it was. On every packet scenario, and on random traffic.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { replay } from "../../src/replay/replay.ts";
import { parseScenario } from "../../src/replay/scenario.ts";
import { randomFlow, xorshift } from "./random-flow.ts";
import { openTwinStage } from "./twin-stage.ts";

interface Case {
  readonly id: string;
  readonly config: string;
  readonly prior: readonly Record<string, unknown>[];
  readonly input: Record<string, unknown>;
}

const { configs, cases } = JSON.parse(
  readFileSync(new URL("../data/packet-scenarios.json", import.meta.url), "utf8"),
) as { configs: Record<string, Record<string, unknown>>; cases: readonly Case[] };

const { prepare, tally } = openTwinStage();

/** The kernel runs no program on less than an Ethernet header. */
function isLongEnough(frame: unknown): boolean {
  return typeof frame === "string" && frame.length >= 2 * 14;
}

function run(id: string, config: string, frames: readonly Record<string, unknown>[]): void {
  const scenario = parseScenario({ ...configs[config], id, frames });
  replay(scenario, prepare(scenario));
}

describe("packet scenarios", () => {
  for (const { id, config, prior, input } of cases) {
    // Twice over: what the first round has established is the kernel's in the second.
    const frames = [...prior, input].filter((step) => isLongEnough(step["frame"]));
    test(id, () => run(id, config, [...frames, ...frames]));
  }

  test("some of their frames were XDP's to forward", () => {
    expect(tally.forwarded).toBeGreaterThan(0);
  });
});

describe("random traffic of established flows", () => {
  beforeAll(() => tally.left.splice(0));

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    const next = xorshift(seed * 0x9e3779b1);
    const forwardedBefore = tally.forwarded;
    for (let flow = 0; flow < 12; flow++) run(`random-${seed}-${flow}`, "nat", randomFlow(next));
    // Half of the frames are mutated, and half of the replies are not of the flow's backend.
    expect(tally.forwarded - forwardedBefore).toBeGreaterThan(12 * 5);
  });

  test("XDP leaves none of their frames to the worker that the worker would send", () => {
    expect(tally.left.map((frame) => Buffer.from(frame).toString("hex"))).toEqual([]);
  });
});

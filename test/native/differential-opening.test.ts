/**
 * As differential.test.ts, with XDP opening flows too: the same backend, the same ways, and rows that are the same to the
 * word, wherever it opens one. What it leaves it leaves untouched.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
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

const { prepare, tally } = openTwinStage(true);

/** The kernel runs no program on less than an Ethernet header. */
function isLongEnough(frame: unknown): boolean {
  return typeof frame === "string" && frame.length >= 2 * 14;
}

function run(id: string, config: string, frames: readonly Record<string, unknown>[]): void {
  const scenario = parseScenario({ ...configs[config], id, frames });
  replay(scenario, prepare(scenario));
}

describe("packet scenarios", () => {
  test.each(cases.map((each) => [each.id, each] as const))("%s", (id, { config, prior, input }) => {
    const frames = [...prior, input].filter((step) => isLongEnough(step["frame"]));
    run(id, config, [...frames, ...frames]);
  });

  test("some of their flows were XDP's to open", () => {
    expect(tally.opened).toBeGreaterThan(5);
  });
});

describe("random traffic", () => {
  test.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
    const next = xorshift(seed * 0x85ebca6b);
    const before = tally.opened;
    for (let flow = 0; flow < 12; flow++) run(`random-${seed}-${flow}`, "nat", randomFlow(next));
    // Half of the flows are of TCP; there is no VIP for the datagrams.
    expect(tally.opened - before).toBeGreaterThan(0);
  });
});

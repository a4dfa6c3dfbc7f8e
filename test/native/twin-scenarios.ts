/**
 * What the differential suites feed to their stages: the packet scenarios, those of the documentation, and random traffic of
 * their nodes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { replay } from "../../src/replay/replay.ts";
import { parseScenario } from "../../src/replay/scenario.ts";
import type { TwinStage } from "./twin-stage.ts";

export type Frames = readonly Record<string, unknown>[];

interface Case {
  readonly id: string;
  readonly config: string;
  readonly prior: Frames;
  readonly input: Record<string, unknown>;
}

const { configs, cases } = JSON.parse(
  readFileSync(new URL("../data/packet-scenarios.json", import.meta.url), "utf8"),
) as { configs: Record<string, Record<string, unknown>>; cases: readonly Case[] };

/** A packet scenario's node and services. */
export function packetNode(config: string): Record<string, unknown> {
  return configs[config]!;
}

/** Each packet scenario twice over: what the first round has established is the kernel's in the second. */
export const PACKET_SCENARIOS: readonly (readonly [string, Record<string, unknown>])[] = cases.map(
  ({ id, config, prior, input }) => {
    const frames = [...prior, input].filter(({ frame }) => typeof frame === "string");
    return [id, { ...configs[config], id, frames: twice(frames) }];
  },
);

/** Those of docs/scenarios, likewise; not those of pods behind the node's own stack, whose ways are differential-stack.test.ts's. */
export const DOCUMENTED_SCENARIOS: readonly (readonly [string, Record<string, unknown>])[] = readdirSync(
  new URL("../../docs/scenarios", import.meta.url),
).flatMap((file) =>
  readFileSync(new URL(`../../docs/scenarios/${file}`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter(({ node }) => Object.values<object>(node.ifaces).every((iface) => !("stack" in iface)))
    .map((scenario): [string, Record<string, unknown>] => [
      scenario.id,
      { ...scenario, frames: twice(scenario.frames) },
    ]),
);

function twice(frames: Frames): Frames {
  // The kernel runs no program on less than an Ethernet header.
  const long = frames.filter(
    ({ frame }) => frame === undefined || (typeof frame === "string" && frame.length >= 2 * 14),
  );
  return [...long, ...long];
}

export function play({ prepare }: TwinStage, json: Record<string, unknown>): void {
  const scenario = parseScenario(json);
  replay(scenario, prepare(scenario));
}

/**
 * Replay: the frames of a scenario through the real pipeline, without a NIC. Only sockets, clock and kernel are missing.
 * Every scenario starts from nothing.
 */
import { type Counters, reasonCounts, TOTALS } from "../dataplane/counters.ts";
import type { DropReasonName } from "../dataplane/drop-reason.ts";
import { noPolicies, type PolicySet } from "../policy/policy-chain.ts";
import {
  type Departure,
  NodePlayer,
  ordinaryTables,
  type Played,
  type PlayerTables,
  REPLAY_KEY,
} from "./node-player.ts";
import { type PacketSummary, summary } from "./packet-step.ts";
import type { Scenario } from "./scenario.ts";
import type { ScenarioNode } from "./scenario-node.ts";

export interface FrameResult {
  readonly verdict: Played["verdict"];
  /** The interface that the frame leaves by. */
  readonly iface?: string;
  /** The frame as it leaves, hex. */
  readonly frame?: string;
  readonly reason?: DropReasonName;
  /** The frame as it leaves in words, where it was given in words. */
  readonly packet?: PacketSummary;
  /** Frames that leave after this one: they had waited, for it or for a MAC. */
  readonly also?: readonly { readonly iface: string; readonly frame: string }[];
}

/** Totals that are not 0; `reasons` counts dropped and passed frames by why. */
export type ReadableCounters = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

export interface ScenarioResult {
  readonly id: string;
  readonly results: readonly FrameResult[];
  readonly counters: ReadableCounters;
}

/** The tables of a replay, for one who has memory of his own for them and looks on. */
export interface ReplayStage extends PlayerTables {
  /** Gets each frame before the pipeline does; what it returns is then called with what became of the frame. */
  readonly watch: (frame: Uint8Array, port: number) => (result: FrameResult) => void;
}

const VIPS = 256;
/** The clock starts well after 0, as a machine's does. */
export const START_SECONDS = 1000;

function ordinaryStage({ flowRows }: Scenario): ReplayStage {
  return { ...ordinaryTables(flowRows), watch: () => () => {} };
}

/** @param policies the scenario's, ready to be asked. */
export function replay(
  scenario: Scenario,
  stage: ReplayStage = ordinaryStage(scenario),
  policies: PolicySet = noPolicies(),
): ScenarioResult {
  const { node, spec } = scenario;
  const player = new NodePlayer(node, spec, { key: REPLAY_KEY, tables: stage, vips: VIPS, policies });
  const results: FrameResult[] = [];
  let now = START_SECONDS;
  for (const step of scenario.steps) {
    if (step.kind === "services") {
      player.serve(step.spec);
    } else if (step.kind === "neighbors") {
      player.learn(step.neighbors);
    } else if (step.kind === "advance") {
      now += step.seconds;
      player.expire(now);
    } else {
      const seen = stage.watch(step.bytes, step.port);
      const played = resultOf(player.feed(step.bytes, step.port, now), node);
      const result = step.inWords ? inWords(played) : played;
      seen(result);
      results.push(result);
    }
  }
  return { id: scenario.id, results, counters: readableCounters(player.counters) };
}

function resultOf({ verdict, departure, reason, also }: Played, node: ScenarioNode): FrameResult {
  return {
    verdict,
    ...(departure === null ? { reason: reason! } : readable(departure, node)),
    ...(also.length === 0 ? {} : { also: also.map((each) => readable(each, node)) }),
  };
}

function readable({ interface: port, bytes }: Departure, node: ScenarioNode): { iface: string; frame: string } {
  const frame = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { iface: node.interfaces[port]!.name, frame };
}

export function readableCounters(counters: Counters): ReadableCounters {
  const totals = TOTALS.map((name, index) => [name, counters.totals[index]!] as const);
  return { ...Object.fromEntries(totals.filter(([, n]) => n !== 0)), reasons: reasonCounts(counters) };
}

function inWords(result: FrameResult): FrameResult {
  const octets = result.frame?.match(/../g)?.map((octet) => Number.parseInt(octet, 16));
  const packet = octets === undefined ? null : summary(Uint8Array.from(octets));
  return packet === null ? result : { ...result, packet };
}

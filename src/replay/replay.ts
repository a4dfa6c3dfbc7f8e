/**
 * Replay: the frames of a scenario through the real pipeline, without a NIC. The tables are the workers' tables, over
 * ordinary memory; only sockets, clock and kernel are missing. Every scenario starts from nothing.
 */

import { buildForwardingTable } from "../dataplane/build-forwarding-table.ts";
import { type Counters, countersMemory, TOTALS } from "../dataplane/counters.ts";
import { DROP_REASONS, type DropReasonName } from "../dataplane/drop-reason.ts";
import { FlowExpiry } from "../dataplane/expiry.ts";
import { Fib, NO_ROUTE } from "../dataplane/fib.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import { FlowTable4, flowTable4Memory } from "../dataplane/flow-table4.ts";
import { FlowTable6, flowTable6Memory } from "../dataplane/flow-table6.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { FragmentTable } from "../dataplane/fragment-table.ts";
import { FRAME_HEADROOM_BYTES, FrameBatch, Verdict } from "../dataplane/frame-batch.ts";
import { IdRegistry } from "../dataplane/id-registry.ts";
import { NeighborRequests } from "../dataplane/neighbor-requests.ts";
import { NeighborTable, neighborTableMemory } from "../dataplane/neighbor-table.ts";
import { Pipeline } from "../dataplane/pipeline.ts";
import { PORT_WIRE, PortTable, portTableMemory } from "../dataplane/port-table.ts";
import { type ChainSurroundings, PolicyChain, type RunningPolicy } from "../policy/policy-chain.ts";
import { policyStatsMemory } from "../policy/policy-stats.ts";
import { directoryOf } from "../policy/service-directory.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import type { Scenario, ScenarioNode } from "./scenario.ts";

export interface FrameResult {
  readonly verdict: "tx" | "reply" | "pass" | "drop";
  /** The interface that the frame leaves by. */
  readonly iface?: string;
  /** The frame as it leaves, hex. */
  readonly frame?: string;
  readonly reason?: DropReasonName;
  /** Frames that leave because of this one: fragments that had waited for it. */
  readonly also?: readonly { readonly iface: string; readonly frame: string }[];
}

export interface ScenarioResult {
  readonly id: string;
  readonly results: readonly FrameResult[];
  /** Totals that are not 0; `reasons` counts dropped and passed frames by why. */
  readonly counters: Readonly<Record<string, number | Readonly<Record<string, number>>>>;
}

/** The tables of a replay, for one who has memory of his own for them and looks on. */
export interface ReplayStage {
  /** Zeroed memory, of as many rows as there may be. */
  readonly flows4: Int32Array;
  readonly flows6: Int32Array;
  readonly ports: Int32Array;
  readonly neighbors: Int32Array;
  /** Whether the pipeline marks established flows for the kernel. */
  readonly offloads: boolean;
  /** Gets each frame before the pipeline does; what it returns is then called with what became of the frame. */
  readonly watch: (frame: Uint8Array, port: number) => (result: FrameResult) => void;
}

/** A replay is reproducible: this key is no secret. */
export const REPLAY_KEY: HashKey = { k0: 0x736c7569, k1: 0x63652d30 };
const FLOW_ROWS = 1 << 12;
const MAX_FRAME_BYTES = 1 << 14;
/** The clock starts well after 0, as a machine's does. */
const START_SECONDS = 1000;

function ordinaryStage(): ReplayStage {
  return {
    flows4: flowTable4Memory(FLOW_ROWS),
    flows6: flowTable6Memory(FLOW_ROWS),
    ports: portTableMemory(),
    neighbors: neighborTableMemory(1024),
    offloads: false,
    watch: () => () => {},
  };
}

/** @param policies the scenario's, ready to be asked. */
export function replay(
  scenario: Scenario,
  stage: ReplayStage = ordinaryStage(),
  policies: readonly RunningPolicy[] = [],
): ScenarioResult {
  const { node } = scenario;
  const interfaces = node.interfaces.map(({ name }) => name);
  const policySlots = new Map(policies.map(({ name, slot }) => [name, slot]));
  const ids = new IdRegistry();
  let epoch = 0;
  const tableOf = (spec: ForwardingSpec) =>
    buildForwardingTable(spec, {
      epoch: ++epoch,
      key: REPLAY_KEY,
      ids,
      portNames: interfaces,
      policySlots,
    });
  const memory = new Uint8Array(FRAME_HEADROOM_BYTES + MAX_FRAME_BYTES);
  const flows4 = new FlowTable4(stage.flows4, REPLAY_KEY);
  const flows6 = new FlowTable6(stage.flows6, REPLAY_KEY);
  const expiry = [new FlowExpiry(flows4), new FlowExpiry(flows6)];
  const batch = new FrameBatch(1);
  const pipeline = pipelineFor(node, batch, new DataView(memory.buffer), stage, flows4, flows6, tableOf(scenario.spec));
  const results: FrameResult[] = [];
  let now = START_SECONDS;
  const surroundings: ChainSurroundings = {
    readClock: (into) => {
      into[0] = now * 1e9;
    },
    stats: policyStatsMemory(policies.length),
    watch: new Int32Array(1),
    watchAt: 0,
    onTrouble: () => {},
    onReason: () => {},
  };
  const askPolicies = () => {
    if (policies.length === 0) return;
    pipeline.policies = new PolicyChain(pipeline, policies, directoryOf(ids), interfaces, surroundings);
  };
  askPolicies();

  for (const step of scenario.steps) {
    if (step.kind === "services") {
      pipeline.table = tableOf(step.spec);
      askPolicies();
    } else if (step.kind === "advance") {
      now += step.seconds;
      for (const each of expiry) each.tick(1, now);
    } else {
      memory.set(step.bytes, FRAME_HEADROOM_BYTES);
      batch.count = 1;
      batch.offset[0] = FRAME_HEADROOM_BYTES;
      batch.length[0] = step.bytes.length;
      batch.port[0] = step.port;
      const seen = stage.watch(step.bytes, step.port);
      pipeline.run(now);
      const result = resultOf(batch, memory, node);
      seen(result);
      const also = releaseHeld(pipeline, memory, node, now);
      results.push(also.length === 0 ? result : { ...result, also });
    }
  }
  return { id: scenario.id, results, counters: readable(pipeline.counters) };
}

function pipelineFor(
  node: ScenarioNode,
  batch: FrameBatch,
  view: DataView,
  stage: ReplayStage,
  flows4: FlowTable4,
  flows6: FlowTable6,
  table: Pipeline["table"],
): Pipeline {
  const ports = new PortTable(stage.ports);
  node.interfaces.forEach(({ mac, mtu, ipv4, ipv6, tags }, port) => {
    ports.set(port, { kind: PORT_WIRE, mac, mtu, ipv4, ipv6, pair: null, tags });
  });
  const fib = Fib.build(node.routes);
  const neighbors = new NeighborTable(stage.neighbors);
  const words = new Int32Array(ADDRESS_WORDS);
  for (const { address, mac } of node.neighbors) {
    storeAddress(words, 0, address);
    const route = fib.lookup(words, 0);
    if (route === NO_ROUTE) continue;
    const port = fib.port(route);
    neighbors.set(words, port, mac, node.interfaces[port]!.mac);
  }
  const neighborRequests = new NeighborRequests();
  const counters = countersMemory(256);
  const fragments = new FragmentTable();
  const tables = { flows4, flows6, ports, neighbors, neighborRequests, fragments, counters, offloads: stage.offloads };
  return new Pipeline(batch, view, tables, table, fib);
}

function resultOf(batch: FrameBatch, memory: Uint8Array, node: ScenarioNode): FrameResult {
  const verdict = batch.verdict[0]!;
  if (verdict === Verdict.Drop || verdict === Verdict.Pass) {
    return { verdict: verdict === Verdict.Drop ? "drop" : "pass", reason: DROP_REASONS[batch.reason[0]!]! };
  }
  return {
    verdict: verdict === Verdict.Transmit ? "tx" : "reply",
    iface: node.interfaces[batch.egress[0]!]!.name,
    frame: hex(memory.subarray(batch.offset[0]!, batch.offset[0]! + batch.length[0]!)),
  };
}

/** Runs the fragments that the last frame has set free, one by one. */
function releaseHeld(
  pipeline: Pipeline,
  memory: Uint8Array,
  node: ScenarioNode,
  now: number,
): { iface: string; frame: string }[] {
  const also: { iface: string; frame: string }[] = [];
  const findRoom = () => 0;
  while (pipeline.held.release(pipeline.batch, pipeline.fragments, memory, findRoom, now) > 0) {
    pipeline.run(now);
    const { iface, frame } = resultOf(pipeline.batch, memory, node);
    if (iface !== undefined && frame !== undefined) also.push({ iface, frame });
  }
  return also;
}

function readable(counters: Counters): ScenarioResult["counters"] {
  const totals = TOTALS.map((name, index) => [name, counters.totals[index]!] as const);
  const reasons = DROP_REASONS.map((name, index) => [name, counters.reasons[index]!] as const);
  const nonZero = (entries: readonly (readonly [string, number])[]) =>
    Object.fromEntries(entries.filter(([, n]) => n !== 0));
  return { ...nonZero(totals), reasons: nonZero(reasons) };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

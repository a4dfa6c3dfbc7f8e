/**
 * A node without NICs: the workers' pipeline over the workers' tables in ordinary memory. Frames are fed by hand, and so
 * is the clock.
 */
import { BackendLoad } from "../dataplane/backend-load.ts";
import { buildForwardingTable } from "../dataplane/build-forwarding-table.ts";
import { type Counters, countersMemory } from "../dataplane/counters.ts";
import { DROP_REASONS, type DropReasonName } from "../dataplane/drop-reason.ts";
import { FlowExpiry, withdrawOwned } from "../dataplane/expiry.ts";
import { Fib, NO_ROUTE } from "../dataplane/fib.ts";
import { FlowEnd } from "../dataplane/flow-end.ts";
import { FlowEndLog, flowEndListeners, flowEndRing } from "../dataplane/flow-end-log.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import { FlowTable4, flowTable4Memory } from "../dataplane/flow-table4.ts";
import { FlowTable6, flowTable6Memory } from "../dataplane/flow-table6.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { ForwardingTable } from "../dataplane/forwarding-table.ts";
import { FragmentTable } from "../dataplane/fragment-table.ts";
import { FRAME_HEADROOM_BYTES, FrameBatch, Verdict } from "../dataplane/frame-batch.ts";
import { IdRegistry } from "../dataplane/id-registry.ts";
import { NeighborRequests } from "../dataplane/neighbor-requests.ts";
import { NeighborTable, neighborTableMemory, STACK_NEIGHBOR } from "../dataplane/neighbor-table.ts";
import { Pipeline } from "../dataplane/pipeline.ts";
import { PORT_STACK, PORT_WIRE, PortTable, portTableMemory } from "../dataplane/port-table.ts";
import { FlowEndCalls } from "../policy/flow-end-calls.ts";
import { fillFlowEndListeners } from "../policy/flow-end-listeners.ts";
import {
  type ChainSurroundings,
  makePolicyChain,
  type PolicyChain,
  type PolicySet,
  type RunningPolicy,
} from "../policy/policy-chain.ts";
import { policyStatsMemory } from "../policy/policy-stats.ts";
import { directoryOf } from "../policy/service-directory.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import type { ScenarioNode } from "./scenario-node.ts";

/** A frame that leaves. */
export interface Departure {
  /** Index of the node's interface. */
  readonly interface: number;
  readonly bytes: Uint8Array;
}

export interface Played {
  readonly verdict: "tx" | "reply" | "pass" | "drop";
  /** The frame as it leaves, rewritten; `null` when it does not. */
  readonly departure: Departure | null;
  /** Why it does not. */
  readonly reason: DropReasonName | null;
  /** Frames that leave after this one: they had waited, for it or for a MAC. */
  readonly also: readonly Departure[];
}

/** Reproducible, and no secret. */
export const REPLAY_KEY: HashKey = { k0: 0x736c7569, k1: 0x63652d30 };
/** Longer frames than this can't be fed. */
export const LONGEST_FRAME_BYTES = 1 << 14;
const SMALLEST_NEIGHBOR_TABLE = 1024;

/** The tables of a player, for one who has memory of his own for them. */
export interface PlayerTables {
  /** Zeroed memory, of as many rows as there may be. */
  readonly flows4: Int32Array;
  readonly flows6: Int32Array;
  readonly ports: Int32Array;
  readonly neighbors: Int32Array;
  /** Whether the pipeline marks established flows for the kernel. */
  readonly offloads: boolean;
  /** What is known of tunnels' paths; absent, memory of its own. */
  readonly pathMtus?: Int32Array;
  /** Called with each forwarding table before it is in force. */
  readonly onTable?: (table: ForwardingTable) => void;
}

interface PlayerOptions {
  readonly key: HashKey;
  readonly tables: PlayerTables;
  /** VIPs that there may be at most. */
  readonly vips: number;
  /** Ready to be asked. */
  readonly policies: PolicySet;
}

/** @param flowRows of each flow table, a power of two. @param neighbors that there may be at most. */
export function ordinaryTables(flowRows: number, neighbors = 0): PlayerTables {
  let rows = SMALLEST_NEIGHBOR_TABLE;
  while (rows < 2 * neighbors) rows *= 2;
  return {
    flows4: flowTable4Memory(flowRows),
    flows6: flowTable6Memory(flowRows),
    ports: portTableMemory(),
    neighbors: neighborTableMemory(rows),
    offloads: false,
  };
}

export class NodePlayer {
  readonly #node: ScenarioNode;
  readonly #options: PlayerOptions;
  readonly #portNames: readonly string[];
  readonly #policySlots: ReadonlyMap<string, number>;
  readonly #surroundings: ChainSurroundings;
  readonly #ids = new IdRegistry();
  readonly #memory = new Uint8Array(FRAME_HEADROOM_BYTES + LONGEST_FRAME_BYTES);
  readonly #batch = new FrameBatch(1);
  readonly #expiry: readonly FlowExpiry[];
  readonly #pipeline: Pipeline;
  #chain: PolicyChain | null = null;
  #epoch = 0;
  /** Nanoseconds. */
  readonly #clock: Float64Array;
  /** `null` where no policy wants to know of ends. */
  readonly #ends: { readonly calls: FlowEndCalls; readonly listeners: Int32Array } | null;

  constructor(node: ScenarioNode, spec: ForwardingSpec, options: PlayerOptions) {
    const { key, tables, policies } = options;
    this.#node = node;
    this.#options = options;
    this.#portNames = node.interfaces.map(({ name }) => name);
    this.#policySlots = new Map(policies.running.map(({ name, slot }) => [name, slot]));
    this.#clock = policies.clock;
    this.#surroundings = {
      batchClock: this.#clock,
      readClock: (into) => {
        into[0] = this.#clock[0]!;
      },
      stats: policyStatsMemory(policies.running.length),
      watch: new Int32Array(1),
      watchAt: 0,
      onTrouble: () => {},
      onReason: () => {},
    };
    const load = new BackendLoad();
    const flows4 = new FlowTable4(tables.flows4, key, load);
    const flows6 = new FlowTable6(tables.flows6, key, load);
    this.#ends = this.#noteEnds([flows4, flows6]);
    this.#expiry = [new FlowExpiry(flows4), new FlowExpiry(flows6)];
    const fib = Fib.build(node.routes);
    this.#pipeline = new Pipeline(
      this.#batch,
      new DataView(this.#memory.buffer),
      {
        flows4,
        flows6,
        ports: fillPorts(tables.ports, node),
        neighbors: fillNeighbors(tables.neighbors, node, fib),
        neighborRequests: new NeighborRequests(),
        fragments: new FragmentTable(),
        counters: countersMemory(options.vips),
        offloads: tables.offloads,
        ...(tables.pathMtus === undefined ? {} : { pathMtus: tables.pathMtus }),
      },
      this.#tableOf(spec),
      fib,
    );
    this.#askPolicies(spec);
  }

  get counters(): Counters {
    return this.#pipeline.counters;
  }

  /** Replaces the services, as a new epoch does. */
  serve(spec: ForwardingSpec): void {
    this.#pipeline.table = this.#tableOf(spec);
    // As when an epoch has been taken by all workers: the flows of what is gone end.
    const retired = this.#ids.missingFrom(spec);
    const { flows4, flows6 } = this.#pipeline;
    for (const flows of retired.isEmpty ? [] : [flows4, flows6])
      withdrawOwned(flows, retired.isGone, FlowEnd.unserved, this.#pipeline.now);
    this.#tellOfEnds();
    this.#ids.retain(spec);
    this.#askPolicies(spec);
  }

  /** Has next hops answer for their MACs. */
  learn(neighbors: ScenarioNode["neighbors"]): void {
    learnNeighbors(this.#pipeline.neighbors, this.#node, this.#pipeline.fib, neighbors);
  }

  /** Time has passed: policies hear of it, and what has been silent for too long ends. @param now monotonic seconds. */
  expire(now: number): void {
    this.#clock[0] = now * 1e9;
    for (const each of this.#expiry) each.tick(1, now);
    this.#tellOfEnds();
    this.#chain?.tick(now * 1000);
  }

  /** @param port index of the interface that the frame comes in by. */
  feed(bytes: Uint8Array, port: number, now: number): Played {
    const batch = this.#batch;
    this.#memory.set(bytes, FRAME_HEADROOM_BYTES);
    batch.holdOne(FRAME_HEADROOM_BYTES, bytes.length, port);
    this.#clock[0] = now * 1e9;
    this.#pipeline.run(now);
    const played = this.#outcome();
    const also = this.#releaseHeld(now);
    this.#tellOfEnds();
    return also.length === 0 ? played : { ...played, also };
  }

  #tableOf(spec: ForwardingSpec): ForwardingTable {
    const table = buildForwardingTable(spec, {
      epoch: ++this.#epoch,
      key: this.#options.key,
      ids: this.#ids,
      portNames: this.#portNames,
      policySlots: this.#policySlots,
    });
    this.#options.tables.onTable?.(table);
    return table;
  }

  #askPolicies(spec: ForwardingSpec): void {
    const { running } = this.#options.policies;
    if (running.length === 0) return;
    this.#chain ??= makePolicyChain(this.#pipeline, this.#surroundings);
    this.#chain.show(running, directoryOf(this.#ids), this.#portNames);
    this.#pipeline.policies = this.#chain;
    const told = running.filter(wantsEnds).map(({ name, slot }) => [name, slot] as const);
    if (this.#ends !== null) fillFlowEndListeners(this.#ends.listeners, spec, this.#ids, new Map(told));
  }

  #noteEnds(tables: readonly FlowTable[]) {
    if (!this.#options.policies.running.some(wantsEnds)) return null;
    const ring = flowEndRing();
    const listeners = flowEndListeners();
    for (const flows of tables) flows.ends = new FlowEndLog({ ring, listeners });
    return { calls: new FlowEndCalls([ring], this.#surroundings), listeners };
  }

  #tellOfEnds(): void {
    const { running } = this.#options.policies;
    this.#ends?.calls.tell(running, this.#pipeline, directoryOf(this.#ids), Number.POSITIVE_INFINITY);
  }

  #outcome(): Played {
    const batch = this.#batch;
    const verdict = batch.verdict[0]!;
    if (verdict === Verdict.Drop || verdict === Verdict.Pass) {
      const reason = DROP_REASONS[batch.reason[0]!]!;
      return { verdict: verdict === Verdict.Drop ? "drop" : "pass", departure: null, reason, also: [] };
    }
    const bytes = this.#memory.slice(batch.offset[0]!, batch.offset[0]! + batch.length[0]!);
    const departure = { interface: batch.egress[0]!, bytes };
    return { verdict: verdict === Verdict.Transmit ? "tx" : "reply", departure, reason: null, also: [] };
  }

  /** Runs the frames that need not wait any longer, one by one. */
  #releaseHeld(now: number): Departure[] {
    const also: Departure[] = [];
    while (this.#pipeline.gather(() => FRAME_HEADROOM_BYTES, now)) {
      this.#pipeline.run(now);
      const { departure } = this.#outcome();
      if (departure !== null) also.push(departure);
    }
    return also;
  }
}

function wantsEnds({ hooks }: RunningPolicy): boolean {
  return hooks.onFlowEnd !== undefined;
}

function fillPorts(memory: Int32Array, node: ScenarioNode): PortTable {
  const ports = new PortTable(memory);
  node.interfaces.forEach(({ mac, mtu, ipv4, ipv6, tags, stack }, port) => {
    const inside = node.interfaces.findIndex((each) => each.stack?.uplink === port);
    const pair = stack?.uplink ?? (inside < 0 ? null : inside);
    ports.set(port, { kind: stack === null ? PORT_WIRE : PORT_STACK, mac, mtu, ipv4, ipv6, pair, tags });
  });
  return ports;
}

function fillNeighbors(memory: Int32Array, node: ScenarioNode, fib: Fib): NeighborTable {
  const neighbors = new NeighborTable(memory);
  node.interfaces.forEach(({ mac, stack }, port) => {
    if (stack !== null) neighbors.set(STACK_NEIGHBOR, port, stack.mac, mac);
  });
  learnNeighbors(neighbors, node, fib, node.neighbors);
  return neighbors;
}

function learnNeighbors(into: NeighborTable, node: ScenarioNode, fib: Fib, neighbors: ScenarioNode["neighbors"]): void {
  const words = new Int32Array(ADDRESS_WORDS);
  for (const { address, mac } of neighbors) {
    storeAddress(words, 0, address);
    const route = fib.lookup(words, 0);
    if (route === NO_ROUTE) continue;
    const port = fib.port(route);
    into.set(words, port, mac, node.interfaces[port]!.mac);
  }
}

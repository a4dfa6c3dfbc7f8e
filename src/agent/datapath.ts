/**
 * The datapath of this node as one thing: BPF programs on the ports, sockets and workers behind them, the shared tables.
 *
 *     const datapath = await Datapath.start(options, key, log);
 *     await datapath.apply(spec);      // resolves when every worker forwards by it
 *     await datapath.stop();           // nothing is left behind
 */
import type { Logger } from "pino";
import { affinityMemory } from "../dataplane/affinity-table.ts";
import type { BalancingMemory } from "../dataplane/balancing-memory.ts";
import { buildForwardingTable } from "../dataplane/build-forwarding-table.ts";
import { type Counters, countersMemory, type VipCounterName } from "../dataplane/counters.ts";
import { FlowEndLog } from "../dataplane/flow-end-log.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import { EMPTY_FORWARDING_SPEC, type ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { ForwardingTable } from "../dataplane/forwarding-table.ts";
import type { TablesInForce } from "../dataplane/hypothetical-packet.ts";
import { IdRegistry } from "../dataplane/id-registry.ts";
import { NeighborTable } from "../dataplane/neighbor-table.ts";
import { PortTable } from "../dataplane/port-table.ts";
import { reroute } from "../dataplane/reroute.ts";
import { TableMemory } from "../dataplane/table-memory.ts";
import type { LoadOutcome } from "../policy-host/policy-host.ts";
import { WorkerPool } from "../worker/worker-pool.ts";
import type { Link, XdpMode } from "../xdp/attach.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { rxQueueCount } from "../xdp/ethtool.ts";
import { checkOffloads, type OffloadReport } from "../xdp/offload-check.ts";
import { monotonic, wholeSeconds } from "../xdp/wait.ts";
import type { XdpOutcome } from "../xdp/xdp-counters.ts";
import { FlowEndings } from "./flow-endings.ts";
import { countFlows, openFlowTables } from "./flow-tables.ts";
import { attachPrograms, type Foundation, layFoundation } from "./foundation.ts";
import { FrameTrace } from "./frame-trace.ts";
import { inSlices } from "./in-slices.ts";
import { KernelForwarding } from "./kernel-forwarding.ts";
import type { Port } from "./network-tables.ts";
import { NetworkTables } from "./network-tables.ts";
import { NO_POLICIES, NodePolicies, sceneOf, vipsToAskAgain } from "./node-policies.ts";
import { type OpeningStatus, type OpeningWatch, watchOpening } from "./opening-watch.ts";
import { type AnnouncerDoor, announcerDoor } from "./port-list.ts";
import { type DatapathMode, opensInKernel, type RunOptions } from "./run-options.ts";
import { Steering } from "./steering.ts";
import { adoptIds } from "./takeover.ts";
import { traceSource } from "./trace-source.ts";
import { TrafficCounters } from "./traffic-counters.ts";
import { workerSpecs } from "./worker-specs.ts";
import { type WorkerStatus, WorkerWatch } from "./worker-watch.ts";

const MAX_VIPS = 1 << 16;

export interface PortStatus {
  readonly id: number;
  readonly name: string;
  readonly kind: Port["kind"];
  readonly mode: Link["mode"];
  readonly queues: number;
}

export class Datapath {
  /** One table per family. */
  readonly flows: readonly FlowTable[];
  readonly ids: IdRegistry;
  readonly ports: readonly PortStatus[];
  readonly policies: NodePolicies;
  readonly mode: DatapathMode;
  /** What happens to frames, for those who look. */
  readonly trace: FrameTrace;
  /** What the interfaces' settings would have broken, at the start. */
  readonly offloads: OffloadReport;
  /** Live flows of the process before this one. */
  readonly flowsTakenOver: number;
  readonly #foundation: Foundation;
  /** What the kernel forwards and opens flows by; `null` where it does neither. */
  readonly #kernel: KernelForwarding | null;
  readonly #opening: OpeningWatch;
  readonly #keepFlows: boolean;
  readonly #key: HashKey;
  readonly #object: BpfObject;
  readonly #network: NetworkTables;
  readonly #steering: Steering;
  readonly #workers: WorkerPool;
  readonly #watch: WorkerWatch;
  readonly #traffic: TrafficCounters;
  readonly #links: readonly Link[];
  readonly #portList: readonly Port[];
  readonly #endings: FlowEndings;
  readonly #memory: TableMemory;
  readonly #balancing: BalancingMemory;
  readonly #clock = new Float64Array(1);
  #table: ForwardingTable;
  /** Made so far: one that some workers have not taken keeps its number, so that none is taken for another. */
  #epochs: number;
  #spec: ForwardingSpec = EMPTY_FORWARDING_SPEC;

  /** Rejects with one clear error when something is in the way; then nothing is left behind either. */
  static async start(options: RunOptions, ownKey: HashKey, log: Logger): Promise<Datapath> {
    const cleanup: (() => void | Promise<void>)[] = [];
    try {
      return await Datapath.#build(options, ownKey, log, cleanup);
    } catch (error) {
      for (const undo of cleanup.reverse()) await undo();
      throw error;
    }
  }

  static async #build(
    options: RunOptions,
    ownKey: HashKey,
    log: Logger,
    cleanup: (() => void | Promise<void>)[],
  ): Promise<Datapath> {
    const foundation = await layFoundation(options, ownKey, log, cleanup);
    const { object, ports, key, kernelForwards, pins } = foundation;

    const balancing = { affinity: affinityMemory(), load: object.map("backend_load").mmap() };
    countFlows(openFlowTables(object, key, balancing));
    let pool: WorkerPool | null = null;
    let datapath: Datapath | null = null;
    const tables = {
      ports: new PortTable(object.map("port_rows").mmap()),
      neighbors: new NeighborTable(object.map("neighbors").mmap()),
    };
    const kernel = kernelForwards
      ? new KernelForwarding(object, opensInKernel(options.datapath), pins?.mapPath("epoch"))
      : null;
    cleanup.push(() => kernel?.close());
    const network = new NetworkTables(ports, tables, (fib) => {
      pool?.publishFib(fib.words);
      kernel?.route(fib, network.neighbors);
      for (const flows of datapath?.flows ?? []) reroute(flows, fib, network.neighbors, datapath!.table);
    });
    cleanup.push(() => network.close());
    kernel?.route(network.fib, network.neighbors);

    const ids = new IdRegistry();
    const table = buildForwardingTable(EMPTY_FORWARDING_SPEC, {
      epoch: 1,
      key,
      ids,
      portNames: ports.map(({ name }) => name),
    });
    const counters = Array.from({ length: foundation.workers }, () => countersMemory(MAX_VIPS));
    const policies = new NodePolicies(foundation, options, log);
    cleanup.push(() => policies.close());
    pool = new WorkerPool(workerSpecs(foundation, { network, balancing, policies, table }, counters), {
      onFailure: (worker, error) =>
        log.error({ worker, err: error }, "a datapath worker has failed; it is started anew in a second"),
      onNews: (worker, news) => policies.heard(worker, news),
      onBrokenPolicy: (worker, slot, how) => policies.broken(worker, slot, how),
    });
    const workers = pool;
    cleanup.push(() => workers.stop());
    await workers.start();

    // Last, when there is somebody to take the frames.
    const links: Link[] = [];
    cleanup.push(() => {
      for (const link of links) link.detach();
    });
    attachPrograms(foundation, options, log, links);
    const wires = ports.flatMap(({ name, kind, tags }, id) =>
      kind === "stack" ? [] : [{ name, mode: links[id]!.mode as XdpMode, tagged: tags.length > 0 }],
    );
    const offloads = checkOffloads(wires, options.repairOffloads);
    for (const { message } of offloads.repaired) log.warn(`repaired: ${message}`);
    for (const { message, severity } of offloads.problems) log[severity === "error" ? "error" : "info"](message);
    datapath = new Datapath({
      options,
      foundation,
      kernel,
      network,
      ids,
      workers,
      counters,
      balancing,
      links,
      table,
      policies,
      offloads,
      log,
    });
    log.info({ ports: datapath.ports, workers: counters.length }, "datapath ready");
    return datapath;
  }

  private constructor(parts: {
    options: RunOptions;
    foundation: Foundation;
    kernel: KernelForwarding | null;
    network: NetworkTables;
    ids: IdRegistry;
    workers: WorkerPool;
    counters: readonly Counters[];
    balancing: BalancingMemory;
    links: readonly Link[];
    table: ForwardingTable;
    policies: NodePolicies;
    offloads: OffloadReport;
    log: Logger;
  }) {
    const { object, key, ports, taken } = parts.foundation;
    this.mode = parts.options.datapath;
    this.#foundation = parts.foundation;
    this.#kernel = parts.kernel;
    this.#keepFlows = parts.options.keepFlows;
    this.#key = key;
    this.#memory = new TableMemory(key);
    this.#object = object;
    this.#network = parts.network;
    this.#balancing = parts.balancing;
    this.ids = parts.ids;
    this.#workers = parts.workers;
    this.#watch = new WorkerWatch(() => parts.workers.status(), parts.log);
    this.#traffic = new TrafficCounters(parts.counters, object, parts.ids);
    this.#links = parts.links;
    this.#portList = ports;
    this.#table = parts.table;
    this.#epochs = parts.table.epoch;
    this.policies = parts.policies;
    this.offloads = parts.offloads;
    this.#steering = new Steering(object, parts.network, parts.foundation.stack, parts.log);
    this.flows = openFlowTables(object, key, parts.balancing);
    for (const flows of this.flows) flows.ends = new FlowEndLog(parts.policies.ownEnds);
    if (taken) for (const flows of this.flows) flows.unlockAll();
    this.flowsTakenOver = taken ? adoptIds(this.flows, this.ids, this.now()) : 0;
    // By these the kernel opens flows until the first epoch of this process is in force.
    for (const left of taken ? (this.#kernel?.idsLeft() ?? []) : []) this.ids.adopt(left);
    this.ports = ports.map((port, id) => ({
      id,
      name: port.name,
      kind: port.kind,
      mode: parts.links[id]!.mode,
      queues: rxQueueCount(port.name),
    }));
    this.trace = new FrameTrace(traceSource(this, parts.workers, object));
    this.#opening = watchOpening(this.mode, object, this.ports, parts.log, (by) =>
      parts.workers.hurry(by === "kernel"),
    );
    this.#endings = new FlowEndings(this.flows, this.ids, () => this.now(), this.flowsTakenOver > 0);
  }

  /** Makes the workers serve a new spec. Addresses are steered here only after every worker knows them. */
  async apply(spec: ForwardingSpec, policies: LoadOutcome = NO_POLICIES): Promise<void> {
    const known = new Set(this.ids.vips().keys());
    const portNames = this.#portList.map(({ name }) => name);
    await inSlices(this.#memory.fill(spec, this.ids));
    const table = buildForwardingTable(spec, {
      epoch: ++this.#epochs,
      key: this.#key,
      ids: this.ids,
      memory: this.#memory,
      portNames,
      policySlots: policies.slots,
    });
    this.#traffic.beginNew(known);
    this.#network.prepare(spec.vips);
    this.#steering.narrow(spec);
    await this.#workers.publishTable(table.columns, sceneOf(policies, this.ids, portNames));
    this.#table = table;
    this.#kernel?.publish(table.columns, this.#memory.maglev.takeMade());
    this.#steering.widen(spec);
    this.#endings.retire(spec);
    this.#endings.askAgain(vipsToAskAgain(policies, spec, this.ids));
    this.policies.serves(spec, this.ids);
    this.#spec = spec;
  }

  /** Traffic has not come here for a while, and will now. */
  endMovedFlows(): void {
    this.#endings.endMoved();
  }

  get spec(): ForwardingSpec {
    return this.#spec;
  }

  get table(): ForwardingTable {
    return this.#table;
  }

  get epoch(): number {
    return this.#table.epoch;
  }

  /** Open now. Many may end them: the sweep, workers, the kernel; their rows' owners are counted by all. */
  get flowsLive(): number {
    return this.flows[0]!.load.total();
  }

  /** What the announcer needs: where it may speak, and the maps of what is answered for. */
  get doorToLinks(): AnnouncerDoor {
    return announcerDoor(this.#portList, this.#object, this.#network.handoffs.words);
  }

  /** For those who ask what would become of a packet; not to be written to. */
  get tablesInForce(): TablesInForce {
    const { fib, ports, neighbors } = this.#network;
    const [flows, table, key] = [this.flows, this.#table, this.#key];
    return { flows, table, key, fib, ports, neighbors, balancing: this.#balancing, now: this.now() };
  }

  /** Seconds of the monotonic clock, as in the flow rows. */
  now(): number {
    monotonic(this.#clock);
    return wholeSeconds(this.#clock);
  }

  counters(): Counters {
    return this.#traffic.sum();
  }

  /** What a VIP has moved since it is configured. */
  vipCounters(id: number, counters: Counters): Record<VipCounterName, number> {
    return this.#traffic.ofVip(id, counters);
  }

  /** Who opens new flows. */
  get opening(): OpeningStatus {
    return this.#opening.status;
  }

  workers(): WorkerStatus[] {
    return this.#watch.status;
  }

  xdpCounters(): Record<XdpOutcome, number> {
    return this.#traffic.xdp();
  }

  /** Detaches first, so that no frame is steered to a worker that has gone. */
  async stop(): Promise<void> {
    this.#endings.close();
    this.#watch.close();
    this.trace.close();
    const { pins, stack, claim } = this.#foundation;
    if (!this.#keepFlows) pins?.remove();
    for (const link of this.#links) link.detach();
    await this.#workers.stop();
    this.policies.close();
    this.#opening.close();
    this.#network.close();
    this.#kernel?.close();
    this.#object.close();
    if (!this.#keepFlows || pins === null) stack?.remove();
    claim?.close();
  }
}

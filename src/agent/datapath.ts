/**
 * The datapath of this node as one thing: BPF programs on the ports, sockets and workers behind them, the shared tables.
 *
 *     const datapath = await Datapath.start(options, key, log);
 *     await datapath.apply(spec);      // resolves when every worker forwards by it
 *     await datapath.stop();           // nothing is left behind
 */
import type { Logger } from "pino";
import { type BalancingMemory, balancingMemory } from "../dataplane/balancing-memory.ts";
import { buildForwardingTable, TableMemory } from "../dataplane/build-forwarding-table.ts";
import {
  type Counters,
  countersMemory,
  sumCounters,
  VIP_COUNTERS,
  VIP_STRIDE,
  type VipCounterName,
} from "../dataplane/counters.ts";
import { FlowExpiry, withdrawOwned } from "../dataplane/expiry.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import { EMPTY_FORWARDING_SPEC, type ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { ForwardingTable } from "../dataplane/forwarding-table.ts";
import { fragmentTableMemory } from "../dataplane/fragment-table.ts";
import { IdRegistry } from "../dataplane/id-registry.ts";
import { NeighborTable } from "../dataplane/neighbor-table.ts";
import { PortTable } from "../dataplane/port-table.ts";
import { reroute } from "../dataplane/reroute.ts";
import type { LoadOutcome } from "../policy-host/policy-host.ts";
import { WorkerPool, type WorkerSpec } from "../worker/worker-pool.ts";
import { attachEgress, attachXdp, type Link, requireFreeHook, type XdpMode } from "../xdp/attach.ts";
import { BpfObject } from "../xdp/bpf.ts";
import { encodePort, SETTINGS_FLAGS, SETTINGS_FORWARD } from "../xdp/door-maps.ts";
import { driverName, rxQueueCount } from "../xdp/ethtool.ts";
import { checkOffloads, type OffloadReport } from "../xdp/offload-check.ts";
import { addVipTraffic } from "../xdp/vip-traffic.ts";
import { monotonic } from "../xdp/wait.ts";
import { readXdpCounters, type XdpOutcome } from "../xdp/xdp-counters.ts";
import type { BindMode } from "../xdp/xsk.ts";
import { openFlowTables } from "./flow-tables.ts";
import type { Port } from "./network-tables.ts";
import { NetworkTables } from "./network-tables.ts";
import { NO_POLICIES, NodePolicies, sceneOf, vipsToAskAgain } from "./node-policies.ts";
import { type AnnouncerDoor, announcerDoor, portList, requireLink } from "./port-list.ts";
import type { DatapathMode, RunOptions } from "./run-options.ts";
import { createStackInside, type StackInside, stackProblems } from "./stack-inside.ts";
import { Steering } from "./steering.ts";

const MAX_VIPS = 1 << 16;
/** The whole table is looked over in about ten seconds. */
const EXPIRY_MILLISECONDS = 250;
const EXPIRY_ROUNDS = 40;
/** An Ethernet header, and two tags. */
const LINK_HEADER_BYTES = 14 + 8;

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
  /** What the interfaces' settings would have broken, at the start. */
  readonly offloads: OffloadReport;
  readonly #key: HashKey;
  readonly #object: BpfObject;
  readonly #network: NetworkTables;
  readonly #steering: Steering;
  readonly #workers: WorkerPool;
  readonly #counters: readonly Counters[];
  readonly #links: readonly Link[];
  readonly #stack: StackInside | null;
  readonly #portList: readonly Port[];
  readonly #expiry: readonly FlowExpiry[];
  readonly #expiryTimer: NodeJS.Timeout;
  readonly #clock = new Float64Array(1);
  readonly #memory: TableMemory;
  #table: ForwardingTable;
  #spec: ForwardingSpec = EMPTY_FORWARDING_SPEC;
  #flowsEnded = 0;
  /** What the counters of a VIP's id showed when the VIP got it: ids are given again, counters never reset. */
  readonly #counterBase = new Map<number, Float64Array>();

  /** Rejects with one clear error when something is in the way; then nothing is left behind either. */
  static async start(options: RunOptions, key: HashKey, log: Logger): Promise<Datapath> {
    const cleanup: (() => void | Promise<void>)[] = [];
    try {
      return await Datapath.#build(options, key, log, cleanup);
    } catch (error) {
      for (const undo of cleanup.reverse()) await undo();
      throw error;
    }
  }

  static async #build(
    options: RunOptions,
    key: HashKey,
    log: Logger,
    cleanup: (() => void | Promise<void>)[],
  ): Promise<Datapath> {
    const uplinks = options.uplinks.map(requireLink);
    const inside = options.inside === "stack" ? [] : options.inside.map(requireLink);
    for (const { name } of [...uplinks, ...inside]) requireFreeHook(name);
    const queues = Math.max(...[...uplinks, ...inside].map(({ name }) => rxQueueCount(name)));
    const mtu = Math.max(...[...uplinks, ...inside].map((link) => link.mtu));

    let stack: StackInside | null = null;
    if (options.inside === "stack") {
      if (uplinks.length > 1)
        throw new Error("with `--inside stack` there is one uplink; give the others to a gateway of their own");
      for (const problem of stackProblems(uplinks[0]!.name)) log.warn(problem);
      stack = createStackInside(mtu, queues);
      cleanup.push(() => stack?.remove());
    }
    const ports = portList(uplinks, inside, stack, options.vlans);

    const flow6Rows = options.flowRows / 2;
    const object = BpfObject.load(undefined, { maxEntries: { flows: options.flowRows, flows6: flow6Rows } });
    cleanup.push(() => object.close());
    const settings = object.map("settings").mmap();
    settings[0] = key.k0;
    settings[1] = key.k1;
    settings[2] = options.flowRows - 1;
    settings[3] = flow6Rows - 1;
    const kernelForwards = options.datapath !== "userspace";
    settings[SETTINGS_FLAGS] = kernelForwards ? SETTINGS_FORWARD : 0;
    ports.forEach((port, id) => {
      const pairInterfaceIndex = port.kind === "uplink" ? (stack?.outer.index ?? 0) : 0;
      const value = encodePort({ id, dropOthers: port.kind === "stack", pairInterfaceIndex, vlan: port.tags });
      object.map("ports").update(word(port.interfaceIndex), value);
      object.map("devices").update(word(id), word(port.interfaceIndex));
    });

    const fragments = fragmentTableMemory();
    const balancing = balancingMemory();
    let pool: WorkerPool | null = null;
    let datapath: Datapath | null = null;
    const tables = {
      ports: new PortTable(object.map("port_rows").mmap()),
      neighbors: new NeighborTable(object.map("neighbors").mmap()),
    };
    const network = new NetworkTables(ports, tables, (fib) => {
      pool?.publishFib(fib.words);
      for (const flows of datapath?.flows ?? []) reroute(flows, fib, network.neighbors, datapath!.table);
    });
    cleanup.push(() => network.close());

    const ids = new IdRegistry();
    const table = buildForwardingTable(EMPTY_FORWARDING_SPEC, {
      epoch: 1,
      key,
      ids,
      portNames: ports.map(({ name }) => name),
    });
    // Sockets that share frame memory are all zero-copy or none is; a veth never is.
    const drivers = new Set(ports.map(({ name }) => driverName(name)));
    const bind: BindMode = drivers.size === 1 ? "auto" : "copy";
    const counters = Array.from({ length: queues }, () => countersMemory(MAX_VIPS));
    const policies = new NodePolicies(queues, `${options.socket}.policies`, log);
    cleanup.push(() => policies.close());
    pool = new WorkerPool(
      counters.map(
        (own, queue): WorkerSpec => ({
          sockets: ports
            .map((port, id) => ({ port: id, interface: port.name, queue, bind }))
            .filter((socket) => queue < rxQueueCount(socket.interface)),
          longestFrameBytes: mtu + LINK_HEADER_BYTES,
          mapFds: {
            flows: object.map("flows").fd,
            flows6: object.map("flows6").fd,
            port_rows: object.map("port_rows").fd,
            neighbors: object.map("neighbors").fd,
            xsks: object.map("xsks").fd,
          },
          offloads: kernelForwards,
          hashKey: key,
          neighborRequests: network.neighborRequests.words,
          fragments,
          balancing,
          counters: own,
          table: table.columns,
          policies: null,
          policyStats: policies.stats[queue]!,
          fib: network.fib.words,
        }),
      ),
      {
        onFailure: (worker, error) =>
          log.error({ worker, err: error }, "a datapath worker has failed; it is started anew in a second"),
        onNews: (worker, news) => policies.heard(worker, news),
        onStuckPolicy: (worker, slot) => policies.stuck(worker, slot),
      },
    );
    const workers = pool;
    cleanup.push(() => workers.stop());
    await workers.start();

    // Last, when there is somebody to take the frames.
    const links: Link[] = [];
    cleanup.push(() => {
      for (const link of links) link.detach();
    });
    for (const port of ports) {
      const mode = port.kind === "stack" ? "native" : options.xdpMode;
      links.push(attachXdp({ program: object.program("sluice_xdp"), interface: port.name, mode }));
    }
    if (stack !== null) {
      for (const { name } of uplinks)
        links.push(attachEgress({ program: object.program("sluice_egress"), interface: name }));
    }
    const wires = ports.flatMap(({ name, kind, tags }, id) =>
      kind === "stack" ? [] : [{ name, mode: links[id]!.mode as XdpMode, tagged: tags.length > 0 }],
    );
    const offloads = checkOffloads(wires, options.repairOffloads);
    for (const { message } of offloads.repaired) log.warn(`repaired: ${message}`);
    for (const { message, severity } of offloads.problems) log[severity === "error" ? "error" : "info"](message);
    datapath = new Datapath({
      mode: options.datapath,
      key,
      object,
      network,
      ids,
      workers,
      counters,
      balancing,
      links,
      stack,
      ports,
      table,
      policies,
      offloads,
      log,
    });
    log.info({ ports: datapath.ports, workers: queues }, "datapath ready");
    return datapath;
  }

  private constructor(parts: {
    mode: DatapathMode;
    key: HashKey;
    object: BpfObject;
    network: NetworkTables;
    ids: IdRegistry;
    workers: WorkerPool;
    counters: readonly Counters[];
    balancing: BalancingMemory;
    links: readonly Link[];
    stack: StackInside | null;
    ports: readonly Port[];
    table: ForwardingTable;
    policies: NodePolicies;
    offloads: OffloadReport;
    log: Logger;
  }) {
    this.mode = parts.mode;
    this.#key = parts.key;
    this.#memory = new TableMemory(parts.key);
    this.#object = parts.object;
    this.#network = parts.network;
    this.ids = parts.ids;
    this.#workers = parts.workers;
    this.#counters = parts.counters;
    this.#links = parts.links;
    this.#stack = parts.stack;
    this.#portList = parts.ports;
    this.#table = parts.table;
    this.policies = parts.policies;
    this.offloads = parts.offloads;
    this.#steering = new Steering(parts.object, parts.network, parts.stack, parts.log);
    this.flows = openFlowTables(parts.object, parts.key, parts.balancing);
    this.#expiry = this.flows.map((flows) => new FlowExpiry(flows));
    this.ports = parts.ports.map((port, id) => ({
      id,
      name: port.name,
      kind: port.kind,
      mode: parts.links[id]!.mode,
      queues: rxQueueCount(port.name),
    }));
    this.#expiryTimer = setInterval(() => {
      const now = this.now();
      for (const expiry of this.#expiry) this.#flowsEnded += expiry.tick(1 / EXPIRY_ROUNDS, now);
    }, EXPIRY_MILLISECONDS);
  }

  /** Makes the workers serve a new spec. Addresses are steered here only after every worker knows them. */
  async apply(spec: ForwardingSpec, policies: LoadOutcome = NO_POLICIES): Promise<void> {
    const known = new Set(this.ids.vips().keys());
    const portNames = this.#portList.map(({ name }) => name);
    const table = buildForwardingTable(spec, {
      epoch: this.#table.epoch + 1,
      key: this.#key,
      ids: this.ids,
      memory: this.#memory,
      portNames,
      policySlots: policies.slots,
    });
    const { vips } = this.counters();
    for (const id of this.ids.vips().keys()) {
      if (!known.has(id)) this.#counterBase.set(id, vips.slice(id * VIP_STRIDE, (id + 1) * VIP_STRIDE));
    }
    this.#network.prepare(spec.vips);
    this.#steering.narrow(spec);
    await this.#workers.publishTable(table.columns, sceneOf(policies, this.ids, portNames));
    this.#table = table;
    this.#steering.widen(spec);
    this.#endRetiredFlows(spec);
    this.#askAgain(vipsToAskAgain(policies, spec, this.ids));
    this.#spec = spec;
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

  get flowsEnded(): number {
    return this.#flowsEnded;
  }

  /** What the announcer needs: where it may speak, and the maps of what is answered for. */
  get doorToLinks(): AnnouncerDoor {
    return announcerDoor(this.#portList, this.#object);
  }

  /** Seconds of the monotonic clock, as in the flow rows. */
  now(): number {
    monotonic(this.#clock);
    return Math.floor(this.#clock[0]! / 1e9);
  }

  /** Of all workers; the traffic of VIPs is also that which the kernel has forwarded. */
  counters(): Counters {
    const counters = sumCounters(this.#counters);
    const traffic = this.#object.map("vip_traffic");
    for (const id of this.ids.vips().keys()) addVipTraffic(traffic, id, counters.vips, id * VIP_STRIDE);
    return counters;
  }

  /** What a VIP has moved since it is configured. */
  vipCounters(id: number, counters: Counters): Record<VipCounterName, number> {
    const base = this.#counterBase.get(id);
    const of = (index: number) => counters.vips[id * VIP_STRIDE + index]! - (base?.[index] ?? 0);
    return Object.fromEntries(VIP_COUNTERS.map((name, index) => [name, of(index)])) as Record<VipCounterName, number>;
  }

  workers(): { alive: boolean; turns: number }[] {
    return this.#workers.status();
  }

  xdpCounters(): Record<XdpOutcome, number> {
    return readXdpCounters(this.#object.map("xdp_counters"));
  }

  /** Detaches first, so that no frame is steered to a worker that has gone. */
  async stop(): Promise<void> {
    clearInterval(this.#expiryTimer);
    for (const link of this.#links) link.detach();
    await this.#workers.stop();
    this.policies.close();
    this.#network.close();
    this.#object.close();
    this.#stack?.remove();
  }

  /** Open flows of these VIPs end: their next frames are those of new flows, about which policies are asked. */
  #askAgain(vips: ReadonlySet<number>): void {
    if (vips.size === 0) return;
    for (const flows of this.flows) this.#flowsEnded += withdrawOwned(flows, (vip) => vips.has(vip), this.now());
  }

  /** Flows of VIPs and backends that the spec no longer has end now, and their ids are free again. */
  #endRetiredFlows(spec: ForwardingSpec): void {
    const retired = this.ids.missingFrom(spec);
    if (retired.isEmpty) return;
    for (const flows of this.flows) this.#flowsEnded += withdrawOwned(flows, retired.isGone, this.now());
    this.ids.retain(spec);
  }
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

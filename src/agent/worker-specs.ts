/** What the workers are started with: each the sockets of its queues on every port, and all of them the same memory. */
import type { BalancingMemory } from "../dataplane/balancing-memory.ts";
import type { Counters } from "../dataplane/counters.ts";
import type { ForwardingTable } from "../dataplane/forwarding-table.ts";
import { fragmentTableMemory } from "../dataplane/fragment-table.ts";
import type { WorkerSpec } from "../worker/worker-pool.ts";
import { driverName, rxQueueCount } from "../xdp/ethtool.ts";
import { monotonic, wholeSeconds } from "../xdp/wait.ts";
import type { BindMode } from "../xdp/xsk.ts";
import type { Foundation } from "./foundation.ts";
import type { NetworkTables } from "./network-tables.ts";
import type { NodePolicies } from "./node-policies.ts";

/** An Ethernet header, and two tags. */
const LINK_HEADER_BYTES = 14 + 8;

/** What workers forward by and write to. */
interface SharedParts {
  readonly network: NetworkTables;
  readonly balancing: BalancingMemory;
  readonly policies: NodePolicies;
  /** The first epoch. */
  readonly table: ForwardingTable;
}

/** @param counters one for each worker. */
export function workerSpecs(
  { object, ports, mtu, key, kernelForwards, taken }: Foundation,
  { network, balancing, policies, table }: SharedParts,
  counters: readonly Counters[],
): WorkerSpec[] {
  // Sockets that share frame memory are all zero-copy or none is; a veth never is.
  const bind: BindMode = new Set(ports.map(({ name }) => driverName(name))).size === 1 ? "auto" : "copy";
  const fragments = fragmentTableMemory();
  const clock = new Float64Array(1);
  monotonic(clock);
  return counters.map((own, worker) => ({
    sockets: ports.flatMap(({ name }, port) =>
      queuesOf(worker, counters.length, rxQueueCount(name)).map((queue) => ({ port, interface: name, queue, bind })),
    ),
    longestFrameBytes: mtu + LINK_HEADER_BYTES,
    mapFds: {
      flows: object.map("flows").fd,
      flows6: object.map("flows6").fd,
      port_rows: object.map("port_rows").fd,
      neighbors: object.map("neighbors").fd,
      xsks: object.map("xsks").fd,
      backend_load: object.map("backend_load").fd,
      path_mtus: object.map("path_mtus").fd,
      queues: object.map("queues").fd,
    },
    offloads: kernelForwards,
    flowsSince: taken ? Number.NEGATIVE_INFINITY : wholeSeconds(clock),
    hashKey: key,
    neighborRequests: network.neighborRequests.words,
    handoffs: network.handoffs.words,
    fragments,
    affinity: balancing.affinity,
    counters: own,
    table: table.columns,
    policies: null,
    policyStats: policies.stats[worker]!,
    flowEnds: policies.ends[worker]!,
    fib: network.fib.words,
  }));
}

/** Which of a port's queues a worker has: one at least, of as many queues as there are workers or more. */
function queuesOf(worker: number, workers: number, queues: number): number[] {
  return Array.from({ length: queues }, (_, queue) => queue).filter((queue) => queue % workers === worker);
}

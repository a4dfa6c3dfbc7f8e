/** A worker's pipeline over what it shares with others: the kernel's maps, by their descriptors, and the task's memory. */
import { AffinityTable } from "../dataplane/affinity-table.ts";
import { BackendLoad } from "../dataplane/backend-load.ts";
import { Fib } from "../dataplane/fib.ts";
import { FlowEndLog } from "../dataplane/flow-end-log.ts";
import { FlowTable4 } from "../dataplane/flow-table4.ts";
import { FlowTable6 } from "../dataplane/flow-table6.ts";
import { ForwardingTable } from "../dataplane/forwarding-table.ts";
import { FragmentTable } from "../dataplane/fragment-table.ts";
import type { FrameBatch } from "../dataplane/frame-batch.ts";
import { Handoffs } from "../dataplane/handoffs.ts";
import { NeighborRequests } from "../dataplane/neighbor-requests.ts";
import { NeighborTable } from "../dataplane/neighbor-table.ts";
import { Pipeline } from "../dataplane/pipeline.ts";
import { PortTable } from "../dataplane/port-table.ts";
import { BpfMap } from "../xdp/bpf-map.ts";
import type { WorkerTask } from "./task.ts";

export type SharedMaps = Readonly<
  Record<"flows4" | "flows6" | "ports" | "neighbors" | "load" | "pathMtus" | "queues", BpfMap>
>;

export function openMaps({ mapFds }: WorkerTask): SharedMaps {
  return {
    flows4: BpfMap.fromFd(mapFds.flows),
    flows6: BpfMap.fromFd(mapFds.flows6),
    ports: BpfMap.fromFd(mapFds.port_rows),
    neighbors: BpfMap.fromFd(mapFds.neighbors),
    load: BpfMap.fromFd(mapFds.backend_load),
    pathMtus: BpfMap.fromFd(mapFds.path_mtus),
    queues: BpfMap.fromFd(mapFds.queues),
  };
}

/** The pipeline, with the table and the FIB of the task and no policies yet. @param view frame memory. */
export function makePipeline(task: WorkerTask, maps: SharedMaps, batch: FrameBatch, view: DataView): Pipeline {
  const load = new BackendLoad(maps.load.mmap());
  const tables = {
    flows4: new FlowTable4(maps.flows4.mmap(), task.hashKey, load),
    flows6: new FlowTable6(maps.flows6.mmap(), task.hashKey, load),
    ports: new PortTable(maps.ports.mmap()),
    neighbors: new NeighborTable(maps.neighbors.mmap()),
    neighborRequests: new NeighborRequests(task.neighborRequests),
    handoffs: new Handoffs(task.handoffs),
    fragments: new FragmentTable(task.fragments),
    affinity: new AffinityTable(task.affinity),
    counters: task.counters,
    pathMtus: maps.pathMtus.mmap(),
    offloads: task.offloads,
    flowsSince: task.flowsSince,
  };
  for (const flows of [tables.flows4, tables.flows6]) flows.ends = new FlowEndLog(task.flowEnds);
  return new Pipeline(batch, view, tables, new ForwardingTable(task.table), new Fib(task.fib));
}

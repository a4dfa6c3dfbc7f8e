/**
 * What a datapath worker is started with, and the words by which the main thread talks to it while it runs.
 *
 * A worker never returns to its event loop, so messages wait in a MessagePort until it looks; it looks when the command
 * word has changed, and an eventfd wakes it from its poll. The epoch word says which forwarding table it works with.
 */
import type { MessagePort } from "node:worker_threads";
import type { Counters } from "../dataplane/counters.ts";
import type { FlowEndMemory } from "../dataplane/flow-end-log.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { ForwardingColumns } from "../dataplane/forwarding-table.ts";
import type { PolicyScene } from "../policy-host/loaded-policy.ts";
import type { TraceOrder } from "../trace/frame-tracer.ts";
import type { BindMode } from "../xdp/xsk.ts";

/** Words of `WorkerTask.control`. */
export const CONTROL_COMMANDS = 0;
export const CONTROL_STOP = 1;
export const CONTROL_EPOCH = 2;
export const CONTROL_HEARTBEAT = 3;
export const CONTROL_READY = 4;
/** The number of the policy that is being asked, from 1; 0 when none is. */
export const CONTROL_POLICY = 5;
/** 1 while a worker of this gateway does not keep up. */
export const CONTROL_HURRY = 6;
export const CONTROL_WORDS = 8;

/** A socket for the worker to open. */
interface SocketTask {
  /** The port's id, in the tables. */
  readonly port: number;
  readonly interface: string;
  readonly queue: number;
  readonly bind: BindMode;
}

export interface WorkerTask {
  readonly sockets: readonly SocketTask[];
  /** The longest packets to expect at any of the sockets, Ethernet header and tags included. */
  readonly longestFrameBytes: number;
  readonly control: Int32Array;
  /** Descriptor of the eventfd that ends a poll. */
  readonly wakeFd: number;
  /** Descriptors of the BPF maps of these names, valid in the whole process. */
  readonly mapFds: Readonly<
    Record<"flows" | "flows6" | "port_rows" | "neighbors" | "xsks" | "backend_load" | "queues" | "path_mtus", number>
  >;
  /** Whether the kernel forwards established flows. */
  readonly offloads: boolean;
  /** Monotonic seconds at which the flow tables began empty; long ago where they were taken over. */
  readonly flowsSince: number;
  readonly hashKey: HashKey;
  readonly neighborRequests: Int32Array;
  readonly handoffs: Int32Array;
  readonly fragments: Int32Array;
  /** An AffinityTable's. */
  readonly affinity: Int32Array;
  readonly counters: Counters;
  readonly table: ForwardingColumns;
  readonly policies: PolicyScene | null;
  /** What policies have answered in this worker. */
  readonly policyStats: Float64Array;
  /** Where it notes the ends of flows. */
  readonly flowEnds: FlowEndMemory;
  readonly fib: Int32Array;
  readonly trace: TraceOrder | null;
  readonly messages: MessagePort;
}

/** Replaces what the worker forwards by, between two batches. */
export type WorkerMessage =
  | { readonly kind: "table"; readonly columns: ForwardingColumns; readonly policies: PolicyScene | null }
  | { readonly kind: "fib"; readonly words: Int32Array }
  /** What of its frames the worker is to show; `null` ends it. */
  | { readonly kind: "trace"; readonly order: TraceOrder | null };

/** What the worker says of its own accord. */
export type WorkerNews =
  /** A policy's first error in this worker, or the one after which it is switched off. */
  | { readonly kind: "policy-trouble"; readonly policy: string; readonly message: string; readonly isOff: boolean }
  /** A reason for which a policy has denied a flow for the first time, and the worker's number for it. */
  | { readonly kind: "policy-reason"; readonly policy: string; readonly reason: string; readonly number: number };

/** XSKMAP slots of one port: QUEUES_PER_PORT of native/bpf/maps.h. */
export const QUEUES_PER_PORT = 64;

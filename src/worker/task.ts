/**
 * What a datapath worker is started with, and the words by which the main thread talks to it while it runs.
 *
 * A worker never returns to its event loop, so messages wait in a MessagePort until it looks; it looks when the command
 * word has changed, and an eventfd wakes it from its poll. The epoch word says which forwarding table it works with.
 */
import type { MessagePort } from "node:worker_threads";
import type { Counters } from "../dataplane/counters.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { ForwardingColumns } from "../dataplane/forwarding-table.ts";
import type { BindMode } from "../xdp/xsk.ts";

/** Words of `WorkerTask.control`. */
export const CONTROL_COMMANDS = 0;
export const CONTROL_STOP = 1;
export const CONTROL_EPOCH = 2;
export const CONTROL_HEARTBEAT = 3;
export const CONTROL_READY = 4;
export const CONTROL_WORDS = 8;

/** A socket for the worker to open. */
export interface SocketTask {
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
  readonly mapFds: Readonly<Record<"flows" | "flows6" | "port_rows" | "neighbors" | "xsks", number>>;
  /** Whether the kernel forwards established flows. */
  readonly offloads: boolean;
  readonly hashKey: HashKey;
  readonly neighborRequests: Int32Array;
  readonly fragments: Int32Array;
  readonly counters: Counters;
  readonly table: ForwardingColumns;
  readonly fib: Int32Array;
  readonly messages: MessagePort;
}

/** Replaces what the worker forwards by, between two batches. */
export type WorkerMessage =
  | { readonly kind: "table"; readonly columns: ForwardingColumns }
  | { readonly kind: "fib"; readonly words: Int32Array };

/** XSKMAP slots of one port: QUEUES_PER_PORT of native/bpf/maps.h. */
export const QUEUES_PER_PORT = 64;

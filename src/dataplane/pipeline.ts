/**
 * The pipeline: what happens to a batch of frames, from parsed Ethernet header to verdict. Pure: it works on the frame
 * memory and the shared tables that it was given, and knows neither sockets nor clocks. Workers and `sluice replay` run
 * this same code.
 *
 * Two passes over the batch. The first (classify.ts) parses and checks each frame, computes its flow hash and touches
 * the home slot in the flow table; the second (forward.ts) looks the flow up and rewrites the frame. By then the row is on its way into the cache:
 * at a million flows that halves the cost (bench/pipeline.ts).
 *
 * The rare kinds of frames are worked off in files of their own: a flow's first frame in first-frame.ts, frames to the
 * gateway itself (ARP, ICMP echo) in answers.ts.
 *
 * Nothing here allocates per frame: numbers in, numbers out (test/zero-allocation.test.ts).
 */

import { IPV4_DESTINATION } from "../wire/ipv4.ts";
import { DONE, makeClassifier } from "./classify.ts";
import { type Counters, DROPPED, PASSED, REPLIED } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import type { Fib } from "./fib.ts";
import type { FlowTable } from "./flow-table.ts";
import { makeForwarder } from "./forward.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { type FrameBatch, Verdict } from "./frame-batch.ts";
import type { NeighborRequests } from "./neighbor-requests.ts";
import type { NeighborTable } from "./neighbor-table.ts";
import type { PortTable } from "./port-table.ts";

/** What the pipeline works on. All of it but the frames is shared with other threads. */
export interface PipelineTables {
  readonly flows: FlowTable;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests: NeighborRequests;
  readonly counters: Counters;
}

export class Pipeline {
  readonly batch: FrameBatch;
  readonly view: DataView;
  readonly flows: FlowTable;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests: NeighborRequests;
  readonly counters: Counters;
  /** Replaced between two batches, never changed. */
  table: ForwardingTable;
  /** Likewise. */
  fib: Fib;
  readonly #classify: () => void;
  readonly #forward: (now: number) => void;

  /**
   * @param batch the one batch that this pipeline works on.
   * @param view the frame memory that the batch's offsets point into.
   */
  constructor(batch: FrameBatch, view: DataView, tables: PipelineTables, table: ForwardingTable, fib: Fib) {
    this.batch = batch;
    this.view = view;
    this.flows = tables.flows;
    this.ports = tables.ports;
    this.neighbors = tables.neighbors;
    this.neighborRequests = tables.neighborRequests;
    this.counters = tables.counters;
    this.table = table;
    this.fib = fib;
    this.#classify = makeClassifier(this);
    this.#forward = makeForwarder(this);
  }

  /** Gives each frame of the batch its verdict, rewriting it in place where it goes on. `now`: monotonic seconds. */
  run(now: number): void {
    this.#classify();
    this.#forward(now);
  }

  drop(i: number, reason: number): void {
    this.batch.verdict[i] = Verdict.Drop;
    this.batch.reason[i] = reason;
    this.batch.transport[i] = DONE;
    this.counters.totals[DROPPED]! += 1;
    this.counters.reasons[reason]! += 1;
  }

  /** Not ours: the kernel is to have it, untouched. */
  pass(i: number, reason: number): void {
    this.batch.verdict[i] = Verdict.Pass;
    this.batch.reason[i] = reason;
    this.batch.transport[i] = DONE;
    this.counters.totals[PASSED]! += 1;
    this.counters.reasons[reason]! += 1;
  }

  /** The gateway's own answer, written over the question, goes back where that came from. */
  reply(i: number): void {
    this.batch.verdict[i] = Verdict.Reply;
    this.batch.egress[i] = this.batch.port[i]!;
    this.counters.totals[REPLIED]! += 1;
  }

  /** The frame's next hop is known by its index, but not its MAC: dropped, and the main thread is asked once. */
  unresolved(i: number, neighbor: number): void {
    if (this.neighbors.markWanted(neighbor)) {
      this.neighborRequests.ask(this.neighbors.address(neighbor), this.neighbors.port(neighbor));
    }
    this.drop(i, DropReason.NeighborUnresolved);
  }

  /** A frame that can't be served: dropped when it is for one of our addresses, else the kernel's business. */
  refuse(i: number, l3: number, reason: number): void {
    if (this.table.owns(this.view.getInt32(l3 + IPV4_DESTINATION, true))) this.drop(i, reason);
    else this.pass(i, reason);
  }
}

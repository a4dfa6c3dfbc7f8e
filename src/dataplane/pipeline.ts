/**
 * The pipeline: what happens to a batch of frames, from parsed Ethernet header to verdict. Pure: it works on the frame
 * memory and the shared tables that it was given, and knows neither sockets nor clocks. Workers and `sluice replay` run
 * this same code.
 *
 * Two passes over the batch. The first (classify.ts) parses and checks each frame, computes its flow hash and touches
 * the home slot in the flow table; the second (forward.ts) looks the flow up and rewrites the frame. By then the row is
 * on its way into the cache: at a million flows that halves the cost (bench/pipeline.ts). Plain frames of established
 * IPv4 flows take a shorter way through both, with the same result: fast-path.ts.
 *
 * The rare kinds of frames are worked off in files of their own: a flow's first frame in first-frame.ts, frames to the
 * gateway itself (ARP, NDP, echo) in answers.ts, fragments in fragments.ts, errors about our flows in related-icmp.ts,
 * errors of our own in icmp-error.ts, VLAN tags in vlan-tags.ts, direct server return in dsr-send.ts, dsr-dress.ts and
 * dsr-receive.ts.
 *
 * Nothing here allocates per frame: numbers in, numbers out (test/zero-allocation.test.ts).
 */
import { IPV4_DESTINATION, IPV4_HEADER_BYTES, IPV4_SOURCE } from "../wire/ipv4.ts";
import { IPV6_DESTINATION, IPV6_SOURCE } from "../wire/ipv6.ts";
import { ADDRESS_WORDS, storeMapped } from "../wire/raw.ts";
import { AffinityTable } from "./affinity-table.ts";
import type { BackendLoad } from "./backend-load.ts";
import { type Classifier, makeClassifier } from "./classify.ts";
import {
  type Counters,
  countReason,
  DROPPED,
  PASSED,
  RECEIVED,
  REPLIED,
  TRANSMITTED,
  TRANSMITTED_BYTES,
  VIP_REPLY_PACKETS,
  VIP_REQUEST_PACKETS,
  VIP_STRIDE,
} from "./counters.ts";
import { TUNNEL_WORDS } from "./dsr-receive.ts";
import { makeFastPath, type Pass } from "./fast-path.ts";
import type { Fib } from "./fib.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "./flow-key.ts";
import type { FlowTable } from "./flow-table.ts";
import type { FlowTable4 } from "./flow-table4.ts";
import type { FlowTable6 } from "./flow-table6.ts";
import { makeForwarder } from "./forward.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import type { FragmentTable } from "./fragment-table.ts";
import { type FrameBatch, FrameKind, Verdict } from "./frame-batch.ts";
import type { FindRoom } from "./frame-slots.ts";
import type { Handoffs } from "./handoffs.ts";
import { HeldFragments } from "./held-fragments.ts";
import { IcmpLimit } from "./icmp-limit.ts";
import { type Leave, makeLeave } from "./leave.ts";
import type { NeighborRequests } from "./neighbor-requests.ts";
import type { NeighborTable } from "./neighbor-table.ts";
import type { NewFlowPolicies } from "./new-flow-policies.ts";
import { NO_LIMIT, PathMtus } from "./path-mtu.ts";
import type { PortTable } from "./port-table.ts";
import { ExhaustedPorts } from "./source-ports.ts";
import { giveTags } from "./vlan-tags.ts";
import { WaitingFrames } from "./waiting-frames.ts";

/** Longer frames come from links with jumbo frames, where little is fragmented, and are never the first of a flow. */
const LONGEST_HELD = 2048;

/** What the pipeline works on. All of it but the frames is shared with other threads. */
interface PipelineTables {
  readonly flows4: FlowTable4;
  readonly flows6: FlowTable6;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests: NeighborRequests;
  readonly fragments: FragmentTable;
  readonly counters: Counters;
  /** Absent where no other node shares the links. */
  readonly handoffs?: Handoffs;
  /** Absent, one of its own. */
  readonly affinity?: AffinityTable;
  /** What is known of tunnels' paths; absent, memory of its own. */
  readonly pathMtus?: Int32Array;
  /** Whether the kernel forwards established flows; it doesn't where there is none, as in `sluice replay`. */
  readonly offloads?: boolean;
  /** Monotonic seconds at which the flow tables began empty; absent where they hold all flows that the node has. */
  readonly flowsSince?: number;
}

export class Pipeline {
  readonly batch: FrameBatch;
  readonly view: DataView;
  /** The same memory as `view`, for moving bytes. */
  readonly bytes: Uint8Array;
  readonly flows4: FlowTable4;
  readonly flows6: FlowTable6;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests: NeighborRequests;
  readonly handoffs: Handoffs | null;
  readonly fragments: FragmentTable;
  /** Fragments that wait for the first one of their packet. */
  readonly held = new HeldFragments(LONGEST_HELD);
  /** Frames that wait for the MAC of their next hop, */
  readonly waiting = new WaitingFrames(LONGEST_HELD);
  /** and whether those in work have waited in vain. */
  givesUp = false;
  readonly counters: Counters;
  /** Which backends clients keep, */
  readonly affinity: AffinityTable;
  /** how busy backends are, */
  readonly load: BackendLoad;
  /** and how many choices of this worker were left to chance. */
  choices = 0;
  readonly icmpLimit = new IcmpLimit();
  /** Backends whose source ports are all in use, */
  readonly exhausted = new ExhaustedPorts();
  /** and the raw source port that the flow in work had until its client began it anew; 0 for any other flow. */
  formerSourcePort = 0;
  /** Replaced between two batches, never changed. */
  table: ForwardingTable;
  /** Likewise. */
  fib: Fib;
  /** Likewise; `null` when no VIP has any. */
  policies: NewFlowPolicies | null = null;
  /** Reused by whoever works on a frame away from the hot path: its key, */
  readonly key: FlowKey = newFlowKey();
  /** what the key becomes, */
  readonly translated: FlowKey = newFlowKey();
  /** the key of the other direction, */
  readonly otherKey: FlowKey = newFlowKey();
  /** and one more. */
  readonly spareKey: FlowKey = newFlowKey();
  /** What routers have said about the paths of our tunnels, */
  readonly pathMtus: PathMtus;
  /** and what of it counts for the frame in work, where that leaves in a tunnel. */
  pathMtu = NO_LIMIT;
  /** Whether the frame in work came in a tunnel, from which it has been taken out. */
  tunnelled = false;
  /** How it came: offset, length, and what the packet's link header has been written over. */
  readonly tunnel = new Int32Array(new ArrayBuffer(TUNNEL_WORDS * 4));
  /** What its client asked for, when the tunnel said so: protocol 0 when it didn't. */
  readonly served: FlowKey = newFlowKey();
  /** Whether established flows are left to the kernel (offload.ts). */
  readonly offloads: boolean;
  /** Whether some worker does not keep up, to which replies may come: then with their first frame. */
  hurries = false;
  /** Monotonic seconds at which the flow tables began empty; long ago where they were taken over. */
  readonly flowsSince: number;
  /** Monotonic seconds of the batch in work. */
  now = 0;
  /** Gives a frame its way out; see leave.ts. */
  readonly leave: Leave;
  readonly #classify: Classifier;
  readonly #passes: readonly Pass[];

  /**
   * @param batch the one batch that this pipeline works on.
   * @param view the frame memory that the batch's offsets point into; it begins at the start of its buffer.
   */
  constructor(batch: FrameBatch, view: DataView, tables: PipelineTables, table: ForwardingTable, fib: Fib) {
    this.batch = batch;
    this.view = view;
    this.bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    this.flows4 = tables.flows4;
    this.flows6 = tables.flows6;
    this.ports = tables.ports;
    this.neighbors = tables.neighbors;
    this.neighborRequests = tables.neighborRequests;
    this.handoffs = tables.handoffs ?? null;
    this.fragments = tables.fragments;
    this.counters = tables.counters;
    this.affinity = tables.affinity ?? new AffinityTable();
    this.load = tables.flows4.load;
    this.offloads = tables.offloads ?? false;
    this.flowsSince = tables.flowsSince ?? Number.NEGATIVE_INFINITY;
    this.pathMtus = new PathMtus(tables.pathMtus);
    this.table = table;
    this.fib = fib;
    this.leave = makeLeave(this);
    this.#classify = makeClassifier(this);
    this.#passes = makeFastPath(this, this.#classify, makeForwarder(this));
  }

  /** Gives each frame of the batch its verdict, rewriting it in place where it goes on. `now`: monotonic seconds. */
  run(now: number): void {
    this.now = now;
    this.counters.totals[RECEIVED]! += this.batch.count;
    // From a list: V8 inlines no call whose target changes, and compiles each pass by itself, for its own tables.
    for (let pass = 0; pass < this.#passes.length; pass++) this.#passes[pass]!();
    if (this.ports.hasTags()) giveTags(this);
    this.givesUp = false;
  }

  /**
   * Puts frames into the batch that have waited for long enough: those whose first fragment or MAC has come, or those for
   * whom none will come. @returns whether there are any; the batch is then to be run.
   */
  gather(findRoom: FindRoom, now: number): boolean {
    const { batch, held, waiting, bytes } = this;
    if (held.count > 0 && held.release(batch, this.fragments, bytes, findRoom, now) > 0) return true;
    if (waiting.count === 0) return false;
    if (waiting.release(batch, this.neighbors, bytes, findRoom) > 0) return true;
    this.givesUp = waiting.giveUp(batch, bytes, findRoom, now) > 0;
    return this.givesUp;
  }

  /** Whether any frame waits: worth a look now and then. */
  get keepsFrames(): boolean {
    return this.held.count > 0 || this.waiting.count > 0;
  }

  /** Gives a frame that has been taken out of a tunnel its kind. */
  reclassify(i: number): void {
    this.#classify(i, i + 1);
  }

  /** The flow table of a frame's family. */
  flowsOf(isIpv4: boolean): FlowTable {
    return isIpv4 ? this.flows4 : this.flows6;
  }

  /** Reads a packet's addresses and ports into a key. */
  loadKey(into: FlowKey, isIpv4: boolean, l3: number, l4: number, protocol: number): void {
    const view = this.view;
    if (isIpv4) {
      storeMapped(into, KEY_SOURCE, view.getInt32(l3 + IPV4_SOURCE, true));
      storeMapped(into, KEY_DESTINATION, view.getInt32(l3 + IPV4_DESTINATION, true));
    } else {
      for (let word = 0; word < ADDRESS_WORDS; word++) {
        into[KEY_SOURCE + word] = view.getInt32(l3 + IPV6_SOURCE + 4 * word, true);
        into[KEY_DESTINATION + word] = view.getInt32(l3 + IPV6_DESTINATION + 4 * word, true);
      }
    }
    into[KEY_PORTS] = view.getInt32(l4, true);
    into[KEY_PROTOCOL] = protocol;
  }

  drop(i: number, reason: number): void {
    this.batch.verdict[i] = Verdict.Drop;
    this.batch.reason[i] = reason;
    this.batch.kind[i] = FrameKind.Done;
    this.counters.totals[DROPPED]! += 1;
    countReason(this.counters, reason, this.batch.port[i]!);
  }

  /** Not ours: the kernel is to have it, untouched; what we took out of a tunnel is no longer that. */
  pass(i: number, reason: number): void {
    if (this.tunnelled) {
      this.drop(i, reason);
      return;
    }
    this.batch.verdict[i] = Verdict.Pass;
    this.batch.reason[i] = reason;
    this.batch.kind[i] = FrameKind.Done;
    this.counters.totals[PASSED]! += 1;
    countReason(this.counters, reason, this.batch.port[i]!);
  }

  /** The gateway's own answer, written over the question, goes back where that came from. */
  reply(i: number): void {
    this.batch.verdict[i] = Verdict.Reply;
    this.batch.egress[i] = this.batch.port[i]!;
    this.counters.totals[REPLIED]! += 1;
  }

  /** Counts a frame for its VIP, away from the hot path. @param owner the row's owner word. */
  countVip(owner: number, isReply: boolean, length: number): void {
    const place = (owner >>> 16) * VIP_STRIDE + (isReply ? VIP_REPLY_PACKETS : VIP_REQUEST_PACKETS);
    this.counters.vips[place]! += 1;
    this.counters.vips[place + 1]! += length;
  }

  transmit(i: number, port: number): void {
    this.batch.verdict[i] = Verdict.Transmit;
    this.batch.egress[i] = port;
    this.counters.totals[TRANSMITTED]! += 1;
    this.counters.totals[TRANSMITTED_BYTES]! += this.batch.length[i]!;
  }

  /** A frame that can't be served: dropped when it is for one of our addresses, else the kernel's business. */
  refuse(i: number, isIpv4: boolean, l3: number, reason: number): void {
    // Too short to have ports; they don't matter to who owns the address.
    this.loadKey(this.key, isIpv4, l3, l3 + IPV4_HEADER_BYTES - 4, 0);
    if (this.table.owns(this.key, KEY_DESTINATION)) this.drop(i, reason);
    else this.pass(i, reason);
  }
}

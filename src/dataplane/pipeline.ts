/**
 * The pipeline: what happens to a batch of frames, from parsed Ethernet header to verdict. Pure: it works on the frame
 * memory and the shared tables that it was given, and knows neither sockets nor clocks. Workers and `sluice replay` run
 * this same code.
 *
 * Two passes over the batch. The first parses and checks each frame, computes its flow hash and touches the home slot
 * in the flow table; the second looks the flow up and rewrites the frame. By then the row is on its way into the cache:
 * at a million flows that halves the cost (bench/pipeline.ts).
 *
 * The rare kinds of frames are worked off in files of their own: a flow's first frame in first-frame.ts, frames to the
 * gateway itself (ARP, ICMP echo) in answers.ts.
 *
 * Nothing here allocates per frame: numbers in, numbers out (test/zero-allocation.test.ts).
 */

import { fold, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { crc32c } from "../wire/crc32c.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { swap16 } from "../wire/raw.ts";
import { FIN, RST, SCTP_CHECKSUM, SYN, TCP_CHECKSUM, TCP_FLAGS, UDP_CHECKSUM } from "../wire/transport.ts";
import { answerArp, answerEcho } from "./answers.ts";
import { ARP, classify, DONE, ICMP } from "./classify.ts";
import {
  type Counters,
  DROPPED,
  PASSED,
  REPLIED,
  TRANSMITTED,
  TRANSMITTED_BYTES,
  VIP_REPLY_PACKETS,
  VIP_REQUEST_PACKETS,
  VIP_STRIDE,
} from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import {
  EGRESS_CHECK_TTL,
  EGRESS_DECREMENT_TTL,
  EGRESS_KEEP_MAC,
  EGRESS_NEIGHBOR_SHIFT,
  EGRESS_PAIR,
  EGRESS_PORT,
} from "./egress.ts";
import type { Fib } from "./fib.ts";
import { openFlow, reopenFlow } from "./first-frame.ts";
import {
  type FlowTable,
  ROW_BYTES_COUNT,
  ROW_DELTAS,
  ROW_EGRESS,
  ROW_LAST_SEEN,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_NEW_SOURCE,
  ROW_OWNER,
  ROW_PACKETS,
  ROW_STATE,
  ROW_TAG,
  TAG_REPLY,
} from "./flow-table.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { type FrameBatch, Verdict } from "./frame-batch.ts";
import type { NeighborRequests } from "./neighbor-requests.ts";
import type { NeighborTable } from "./neighbor-table.ts";
import type { PortTable } from "./port-table.ts";

/** What the pipeline works on. All of it but the frame memory is shared with other threads. */
export interface PipelineTables {
  readonly flows: FlowTable;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests: NeighborRequests;
  readonly counters: Counters;
}

export class Pipeline {
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

  /** @param view the frame memory that every batch's offsets point into. */
  constructor(view: DataView, tables: PipelineTables, table: ForwardingTable, fib: Fib) {
    this.view = view;
    this.flows = tables.flows;
    this.ports = tables.ports;
    this.neighbors = tables.neighbors;
    this.neighborRequests = tables.neighborRequests;
    this.counters = tables.counters;
    this.table = table;
    this.fib = fib;
  }

  /** Gives each frame of the batch its verdict, rewriting it in place where it goes on. `now`: monotonic seconds. */
  run(batch: FrameBatch, now: number): void {
    classify(this, batch);
    this.#forward(batch, now);
  }

  #forward(batch: FrameBatch, now: number): void {
    const { view, flows, ports, neighbors } = this;
    const words = flows.words;
    const neighborWords = neighbors.words;
    const vipCounters = this.counters.vips;
    const { offset: offsets, length: lengths, port: inPorts, transport: transports, hash: hashes } = batch;
    const count = batch.count;
    let transmitted = 0;
    let transmittedBytes = 0;
    for (let i = 0; i < count; i++) {
      const l4 = transports[i]!;
      if (l4 < 0) {
        if (l4 === ARP) answerArp(this, batch, i);
        else if (l4 === ICMP) answerEcho(this, batch, i);
        continue;
      }
      const offset = offsets[i]!;
      const l3 = offset + ETHERNET_HEADER_BYTES;
      const protocol = view.getUint8(l3 + IPV4_TTL + 1);
      let row = flows.find(
        hashes[i]!,
        view.getInt32(l3 + IPV4_SOURCE, true),
        view.getInt32(l3 + IPV4_DESTINATION, true),
        view.getInt32(l4, true),
        protocol,
      );
      if (row < 0) {
        row = openFlow(this, batch, i, l3, l4, protocol, now);
        if (row < 0) continue;
      }
      if (protocol === PROTOCOL_TCP) {
        const flags = view.getUint8(l4 + TCP_FLAGS);
        if ((flags & SYN) !== 0 && (words[row + ROW_STATE]! & (FIN | RST)) !== 0) {
          row = reopenFlow(this, batch, i, l3, l4, row, now);
          if (row < 0) continue;
        }
        const state = words[row + ROW_STATE]!;
        if ((state & flags) !== flags) words[row + ROW_STATE] = state | flags;
      }

      const egress = words[row + ROW_EGRESS]!;
      const ttl = view.getUint8(l3 + IPV4_TTL);
      if (ttl <= 1 && (ttl === 0 || (egress & EGRESS_CHECK_TTL) !== 0)) {
        this.drop(batch, i, DropReason.TtlExpired);
        continue;
      }
      const outPort = (egress & EGRESS_PAIR) !== 0 ? ports.pair(inPorts[i]!) : egress & EGRESS_PORT;
      const length = lengths[i]!;
      if (
        length - ETHERNET_HEADER_BYTES > ports.mtu(outPort) &&
        swap16(view.getUint16(l3 + 2, true)) > ports.mtu(outPort)
      ) {
        this.drop(batch, i, DropReason.MtuExceeded);
        continue;
      }
      if ((egress & EGRESS_KEEP_MAC) === 0) {
        const neighbor = egress >>> EGRESS_NEIGHBOR_SHIFT;
        if (!neighbors.isValid(neighbor)) {
          this.unresolved(batch, i, neighbor);
          continue;
        }
        const ethernet = neighbors.ethernetWords(neighbor);
        view.setInt32(offset, neighborWords[ethernet]!, true);
        view.setInt32(offset + 4, neighborWords[ethernet + 1]!, true);
        view.setInt32(offset + 8, neighborWords[ethernet + 2]!, true);
      }

      const deltas = words[row + ROW_DELTAS]!;
      let headerDelta = deltas & 0xffff;
      if ((egress & EGRESS_DECREMENT_TTL) !== 0) {
        view.setUint8(l3 + IPV4_TTL, ttl - 1);
        headerDelta += TTL_DECREMENT_DELTA;
      }
      view.setUint16(
        l3 + IPV4_CHECKSUM,
        ~fold((~view.getUint16(l3 + IPV4_CHECKSUM, true) & 0xffff) + headerDelta) & 0xffff,
        true,
      );
      view.setInt32(l3 + IPV4_SOURCE, words[row + ROW_NEW_SOURCE]!, true);
      view.setInt32(l3 + IPV4_DESTINATION, words[row + ROW_NEW_DESTINATION]!, true);
      view.setInt32(l4, words[row + ROW_NEW_PORTS]!, true);
      if (protocol === PROTOCOL_TCP) {
        const checksum = ~view.getUint16(l4 + TCP_CHECKSUM, true) & 0xffff;
        view.setUint16(l4 + TCP_CHECKSUM, ~fold(checksum + (deltas >>> 16)) & 0xffff, true);
      } else {
        this.#updateOtherChecksum(l3, l4, protocol, deltas >>> 16);
      }

      if (words[row + ROW_LAST_SEEN] !== now) words[row + ROW_LAST_SEEN] = now;
      const packets = (words[row + ROW_PACKETS]! + 1) | 0;
      words[row + ROW_PACKETS] = packets;
      if (packets === 0) words[row + ROW_PACKETS + 1]!++;
      const before = words[row + ROW_BYTES_COUNT]!;
      const after = (before + length) | 0;
      words[row + ROW_BYTES_COUNT] = after;
      if (before < 0 && after >= 0) words[row + ROW_BYTES_COUNT + 1]!++;
      const place =
        (words[row + ROW_OWNER]! >>> 16) * VIP_STRIDE +
        ((words[row + ROW_TAG]! & TAG_REPLY) !== 0 ? VIP_REPLY_PACKETS : VIP_REQUEST_PACKETS);
      vipCounters[place]! += 1;
      vipCounters[place + 1]! += length;

      batch.verdict[i] = Verdict.Transmit;
      batch.egress[i] = outPort;
      transmitted++;
      transmittedBytes += length;
    }
    this.counters.totals[TRANSMITTED]! += transmitted;
    this.counters.totals[TRANSMITTED_BYTES]! += transmittedBytes;
  }

  /** UDP leaves a zero checksum alone and never makes one (RFC 768); SCTP's CRC32c covers the ports and is anew. */
  #updateOtherChecksum(l3: number, l4: number, protocol: number, delta: number): void {
    const view = this.view;
    if (protocol === PROTOCOL_UDP) {
      const checksum = view.getUint16(l4 + UDP_CHECKSUM, true);
      if (checksum === 0) return;
      view.setUint16(l4 + UDP_CHECKSUM, ~fold((~checksum & 0xffff) + delta) & 0xffff || 0xffff, true);
      return;
    }
    const bytes = swap16(view.getUint16(l3 + 2, true)) - (l4 - l3);
    view.setInt32(l4 + SCTP_CHECKSUM, crc32c(view, l4, bytes, l4 + SCTP_CHECKSUM), true);
  }

  drop(batch: FrameBatch, i: number, reason: number): void {
    batch.verdict[i] = Verdict.Drop;
    batch.reason[i] = reason;
    batch.transport[i] = DONE;
    this.counters.totals[DROPPED]! += 1;
    this.counters.reasons[reason]! += 1;
  }

  /** Not ours: the kernel is to have it, untouched. */
  pass(batch: FrameBatch, i: number, reason: number): void {
    batch.verdict[i] = Verdict.Pass;
    batch.reason[i] = reason;
    batch.transport[i] = DONE;
    this.counters.totals[PASSED]! += 1;
    this.counters.reasons[reason]! += 1;
  }

  /** The gateway's own answer, written over the question, goes back where that came from. */
  reply(batch: FrameBatch, i: number): void {
    batch.verdict[i] = Verdict.Reply;
    batch.egress[i] = batch.port[i]!;
    this.counters.totals[REPLIED]! += 1;
  }

  /** The frame's next hop is known by its index, but not its MAC: dropped, and the main thread is asked once. */
  unresolved(batch: FrameBatch, i: number, neighbor: number): void {
    if (this.neighbors.markWanted(neighbor)) {
      this.neighborRequests.ask(this.neighbors.address(neighbor), this.neighbors.port(neighbor));
    }
    this.drop(batch, i, DropReason.NeighborUnresolved);
  }

  /** A frame that can't be served: dropped when it is for one of our addresses, else the kernel's business. */
  refuse(batch: FrameBatch, i: number, l3: number, reason: number): void {
    if (this.table.owns(this.view.getInt32(l3 + IPV4_DESTINATION, true))) this.drop(batch, i, reason);
    else this.pass(batch, i, reason);
  }
}

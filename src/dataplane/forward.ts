/**
 * The pipeline's second pass: looks each frame's flow up, opens it when it is new, and rewrites the frame.
 *
 * Made as a closure over its tables: the compiler of the hot path (V8's TurboFan) then knows every typed array as a
 * constant, with its base and bounds, which makes the pipeline about three times as fast as when it gets them as
 * arguments (bench/pipeline). It holds while an isolate makes one pipeline, as each worker does.
 */
import { fold, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { crc32c } from "../wire/crc32c.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { swap16 } from "../wire/raw.ts";
import { FIN, RST, SCTP_CHECKSUM, SYN, TCP_CHECKSUM, TCP_FLAGS, UDP_CHECKSUM } from "../wire/transport.ts";
import { answerArp, answerEcho } from "./answers.ts";
import { ARP, ICMP } from "./classify.ts";
import { TRANSMITTED, TRANSMITTED_BYTES, VIP_REPLY_PACKETS, VIP_REQUEST_PACKETS, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import {
  EGRESS_CHECK_TTL,
  EGRESS_DECREMENT_TTL,
  EGRESS_KEEP_MAC,
  EGRESS_NEIGHBOR_SHIFT,
  EGRESS_PAIR,
  EGRESS_PORT,
} from "./egress.ts";
import { openFlow, reopenFlow } from "./first-frame.ts";
import {
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
import { Verdict } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";

/** @returns the pass; call it with the monotonic seconds of now. */
export function makeForwarder(pipeline: Pipeline): (now: number) => void {
  const { batch, view, flows, ports, neighbors } = pipeline;
  const words = flows.words;
  const neighborWords = neighbors.words;
  const vipCounters = pipeline.counters.vips;
  const totals = pipeline.counters.totals;
  const { offset: offsets, length: lengths, port: inPorts, transport: transports, hash: hashes } = batch;
  const { verdict: verdicts, egress: egresses } = batch;

  return function forward(now) {
    const count = batch.count;
    let transmitted = 0;
    let transmittedBytes = 0;
    for (let i = 0; i < count; i++) {
      const l4 = transports[i]!;
      if (l4 < 0) {
        if (l4 === ARP) answerArp(pipeline, i);
        else if (l4 === ICMP) answerEcho(pipeline, i);
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
        row = openFlow(pipeline, i, l3, l4, protocol, now);
        if (row < 0) continue;
      }
      if (protocol === PROTOCOL_TCP) {
        const flags = view.getUint8(l4 + TCP_FLAGS);
        if ((flags & SYN) !== 0 && (words[row + ROW_STATE]! & (FIN | RST)) !== 0) {
          row = reopenFlow(pipeline, i, l3, l4, row, now);
          if (row < 0) continue;
        }
        const state = words[row + ROW_STATE]!;
        if ((state & flags) !== flags) words[row + ROW_STATE] = state | flags;
      }

      const egress = words[row + ROW_EGRESS]!;
      const ttl = view.getUint8(l3 + IPV4_TTL);
      if (ttl <= 1 && (ttl === 0 || (egress & EGRESS_CHECK_TTL) !== 0)) {
        pipeline.drop(i, DropReason.TtlExpired);
        continue;
      }
      const outPort = (egress & EGRESS_PAIR) !== 0 ? ports.pair(inPorts[i]!) : egress & EGRESS_PORT;
      const length = lengths[i]!;
      if (
        length - ETHERNET_HEADER_BYTES > ports.mtu(outPort) &&
        swap16(view.getUint16(l3 + 2, true)) > ports.mtu(outPort)
      ) {
        pipeline.drop(i, DropReason.MtuExceeded);
        continue;
      }
      if ((egress & EGRESS_KEEP_MAC) === 0) {
        const neighbor = egress >>> EGRESS_NEIGHBOR_SHIFT;
        if (!neighbors.isValid(neighbor)) {
          pipeline.unresolved(i, neighbor);
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
        updateOtherChecksum(view, l3, l4, protocol, deltas >>> 16);
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

      verdicts[i] = Verdict.Transmit;
      egresses[i] = outPort;
      transmitted++;
      transmittedBytes += length;
    }
    totals[TRANSMITTED]! += transmitted;
    totals[TRANSMITTED_BYTES]! += transmittedBytes;
  };
}

/** UDP leaves a zero checksum alone and never makes one (RFC 768); SCTP's CRC32c covers the ports and is anew. */
function updateOtherChecksum(view: DataView, l3: number, l4: number, protocol: number, delta: number): void {
  if (protocol === PROTOCOL_UDP) {
    const checksum = view.getUint16(l4 + UDP_CHECKSUM, true);
    if (checksum === 0) return;
    view.setUint16(l4 + UDP_CHECKSUM, ~fold((~checksum & 0xffff) + delta) & 0xffff || 0xffff, true);
    return;
  }
  const bytes = swap16(view.getUint16(l3 + 2, true)) - (l4 - l3);
  view.setInt32(l4 + SCTP_CHECKSUM, crc32c(view, l4, bytes, l4 + SCTP_CHECKSUM), true);
}

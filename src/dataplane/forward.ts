/**
 * The pipeline's second pass: looks each frame's flow up, opens it when it is new, and rewrites the frame.
 *
 * Made as a closure over its tables: the compiler of the hot path (V8's TurboFan) then knows every typed array as a
 * constant, with its base and bounds, which makes the pipeline about twice as fast as when it gets them as arguments
 * (bench/pipeline). It holds while an isolate makes one pipeline, as each worker does.
 */
import { fold, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { updateCrc32c } from "../wire/crc32c.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { IPV6_HOP_LIMIT, IPV6_SOURCE } from "../wire/ipv6.ts";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { sctpFlags } from "../wire/sctp.ts";
import { SCTP_CHECKSUM, TCP_CHECKSUM, TCP_FLAGS, UDP_CHECKSUM } from "../wire/transport.ts";
import { answerArp, answerIcmp4, answerIcmp6 } from "./answers.ts";
import { TRANSMITTED, TRANSMITTED_BYTES, VIP_REPLY_PACKETS, VIP_REQUEST_PACKETS, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import { decapsulate, forgetSending } from "./dsr-receive.ts";
import { dress, requestGrowth } from "./dsr-send.ts";
import { EGRESS_DECREMENT_TTL, EGRESS_DSR } from "./egress.ts";
import { openFlow } from "./first-frame.ts";
import { TAG_OFFLOADED, TAG_REPLY } from "./flow-table.ts";
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
  ROW_PORTS,
  ROW_STATE,
  ROW_TAG,
} from "./flow-table4.ts";
import {
  ROW6_BYTES_COUNT,
  ROW6_DELTA,
  ROW6_EGRESS,
  ROW6_LAST_SEEN,
  ROW6_NEW_PORTS,
  ROW6_NEW_SOURCE,
  ROW6_OWNER,
  ROW6_PACKETS,
  ROW6_PORTS,
  ROW6_STATE,
  ROW6_TAG,
} from "./flow-table6.ts";
import { isNews, trackFlags } from "./flow-tracking.ts";
import { forwardLater, rememberFirst } from "./fragments.ts";
import { FrameKind, Verdict } from "./frame-batch.ts";
import { offloadEstablished } from "./offload.ts";
import type { Pipeline } from "./pipeline.ts";

/** @returns the pass. */
export function makeForwarder(pipeline: Pipeline): () => void {
  const { batch, view, flows4, flows6, leave, key } = pipeline;
  const rows4 = flows4.words;
  const rows6 = flows6.words;
  const vipCounters = pipeline.counters.vips;
  const totals = pipeline.counters.totals;
  const { length: lengths, kind: kinds, protocol: protocols, network: networks } = batch;
  const { transport: transports, end: ends, hash: hashes, verdict: verdicts, egress: egresses } = batch;

  return function forward() {
    const count = batch.count;
    let transmitted = 0;
    let transmittedBytes = 0;
    for (let i = 0; i < count; i++) {
      const kind = kinds[i];
      let outPort = -1;
      if (kind === FrameKind.Flow4) outPort = forwardIpv4(i);
      else if (kind === FrameKind.Flow6) outPort = forwardIpv6(i);
      else if (kind !== FrameKind.Done) outPort = forwardOther(i, kind!);
      if (outPort < 0) {
        if (kinds[i] !== FrameKind.Tunnel) continue;
        outPort = forwardTunnelled(i);
        if (outPort < 0) continue;
      }
      verdicts[i] = Verdict.Transmit;
      egresses[i] = outPort;
      transmitted++;
      transmittedBytes += lengths[i]!;
    }
    totals[TRANSMITTED]! += transmitted;
    totals[TRANSMITTED_BYTES]! += transmittedBytes;
  };

  /** @returns the port that the frame leaves by, -1 when it doesn't. */
  function forwardIpv4(i: number): number {
    const l3 = networks[i]!;
    const l4 = transports[i]!;
    // Of the packet before it is cut: what SCTP's checksum covers.
    const end = ends[i]!;
    const protocol = protocols[i]!;
    let row = flows4.find(
      hashes[i]!,
      view.getInt32(l3 + IPV4_SOURCE, true),
      view.getInt32(l3 + IPV4_DESTINATION, true),
      view.getInt32(l4, true),
      protocol,
    );
    if (row < 0) {
      row = openFlow(pipeline, i, true);
      if (row < 0) return -1;
    }
    if (protocol !== PROTOCOL_UDP) {
      const flags = protocol === PROTOCOL_TCP ? view.getUint8(l4 + TCP_FLAGS) : sctpFlags(view, l4, end);
      if (isNews(rows4[row + ROW_STATE]!, flags)) {
        row = trackFlags(pipeline, i, true, row, flags);
        if (row < 0) return -1;
      }
    }
    const egress = rows4[row + ROW_EGRESS]!;
    const ttl = view.getUint8(l3 + IPV4_TTL);
    const growth = (egress & EGRESS_DSR) === 0 ? 0 : requestGrowth(pipeline, i, true, row);
    if (growth < 0) return -1;
    const outPort = leave(i, egress, ttl, growth);
    if (outPort < 0) return -1;

    const deltas = rows4[row + ROW_DELTAS]!;
    let headerDelta = deltas & 0xffff;
    if ((egress & EGRESS_DECREMENT_TTL) !== 0) {
      view.setUint8(l3 + IPV4_TTL, ttl - 1);
      headerDelta += TTL_DECREMENT_DELTA;
    }
    const header = ~view.getUint16(l3 + IPV4_CHECKSUM, true) & 0xffff;
    view.setUint16(l3 + IPV4_CHECKSUM, ~fold(header + headerDelta) & 0xffff, true);
    view.setInt32(l3 + IPV4_SOURCE, rows4[row + ROW_NEW_SOURCE]!, true);
    view.setInt32(l3 + IPV4_DESTINATION, rows4[row + ROW_NEW_DESTINATION]!, true);
    view.setInt32(l4, rows4[row + ROW_NEW_PORTS]!, true);
    if (protocol === PROTOCOL_TCP) {
      const checksum = ~view.getUint16(l4 + TCP_CHECKSUM, true) & 0xffff;
      view.setUint16(l4 + TCP_CHECKSUM, ~fold(checksum + (deltas >>> 16)) & 0xffff, true);
    } else {
      const ports = rows4[row + ROW_PORTS]!;
      updateOtherChecksum(l4, end, protocol, deltas >>> 16, ports, rows4[row + ROW_NEW_PORTS]!);
    }

    const now = pipeline.now;
    const length = lengths[i]!;
    const tag = rows4[row + ROW_TAG]!;
    if ((tag & TAG_OFFLOADED) !== 0) {
      flows4.countFrame(row, length, now);
    } else {
      if (rows4[row + ROW_LAST_SEEN] !== now) rows4[row + ROW_LAST_SEEN] = now;
      if (countRow(rows4, row + ROW_PACKETS, row + ROW_BYTES_COUNT, length)) offloadEstablished(pipeline, flows4, row);
    }
    countVip(rows4[row + ROW_OWNER]!, tag, length);
    if ((egress & EGRESS_DSR) !== 0) dress(pipeline, i, true, row, outPort, growth);
    return outPort;
  }

  function forwardIpv6(i: number): number {
    const l3 = networks[i]!;
    const l4 = transports[i]!;
    const protocol = protocols[i]!;
    pipeline.loadKey(key, false, l3, l4, protocol);
    let row = flows6.findKey(hashes[i]!, key);
    if (row < 0) {
      row = openFlow(pipeline, i, false);
      if (row < 0) return -1;
    }
    if (protocol !== PROTOCOL_UDP) {
      const flags = protocol === PROTOCOL_TCP ? view.getUint8(l4 + TCP_FLAGS) : sctpFlags(view, l4, ends[i]!);
      if (isNews(rows6[row + ROW6_STATE]!, flags)) {
        row = trackFlags(pipeline, i, false, row, flags);
        if (row < 0) return -1;
      }
    }
    const egress = rows6[row + ROW6_EGRESS]!;
    const hopLimit = view.getUint8(l3 + IPV6_HOP_LIMIT);
    const growth = (egress & EGRESS_DSR) === 0 ? 0 : requestGrowth(pipeline, i, false, row);
    if (growth < 0) return -1;
    const outPort = leave(i, egress, hopLimit, growth);
    if (outPort < 0) return -1;

    if ((egress & EGRESS_DECREMENT_TTL) !== 0) view.setUint8(l3 + IPV6_HOP_LIMIT, hopLimit - 1);
    // Source and destination lie side by side in packet and row alike.
    for (let word = 0; word < 2 * ADDRESS_WORDS; word++) {
      view.setInt32(l3 + IPV6_SOURCE + 4 * word, rows6[row + ROW6_NEW_SOURCE + word]!, true);
    }
    view.setInt32(l4, rows6[row + ROW6_NEW_PORTS]!, true);
    const delta = rows6[row + ROW6_DELTA]!;
    if (protocol === PROTOCOL_TCP) {
      const checksum = ~view.getUint16(l4 + TCP_CHECKSUM, true) & 0xffff;
      view.setUint16(l4 + TCP_CHECKSUM, ~fold(checksum + delta) & 0xffff, true);
    } else {
      const ports = rows6[row + ROW6_PORTS]!;
      updateOtherChecksum(l4, ends[i]!, protocol, delta, ports, rows6[row + ROW6_NEW_PORTS]!);
    }

    const now = pipeline.now;
    const length = lengths[i]!;
    const tag = rows6[row + ROW6_TAG]!;
    if ((tag & TAG_OFFLOADED) !== 0) {
      flows6.countFrame(row, length, now);
    } else {
      if (rows6[row + ROW6_LAST_SEEN] !== now) rows6[row + ROW6_LAST_SEEN] = now;
      if (countRow(rows6, row + ROW6_PACKETS, row + ROW6_BYTES_COUNT, length))
        offloadEstablished(pipeline, flows6, row);
    }
    countVip(rows6[row + ROW6_OWNER]!, tag, length);
    if ((egress & EGRESS_DSR) !== 0) dress(pipeline, i, false, row, outPort, growth);
    return outPort;
  }

  /** The rare kinds. What is answered, or transmitted by itself, has its verdict already: -1. */
  function forwardOther(i: number, kind: number): number {
    switch (kind) {
      case FrameKind.Arp:
        answerArp(pipeline, i);
        return -1;
      case FrameKind.Icmp4:
        answerIcmp4(pipeline, i);
        return -1;
      case FrameKind.Icmp6:
        answerIcmp6(pipeline, i);
        return -1;
      case FrameKind.FirstFragment4:
        rememberFirst(pipeline, i, true);
        return forwardIpv4(i);
      case FrameKind.FirstFragment6:
        rememberFirst(pipeline, i, false);
        return forwardIpv6(i);
      case FrameKind.LaterFragment4:
      case FrameKind.LaterFragment6:
        forwardLater(pipeline, i);
        return -1;
      default:
        return -1;
    }
  }

  /** @returns the port that the packet in a tunnel leaves by, out of the tunnel; -1 when it doesn't. */
  function forwardTunnelled(i: number): number {
    if (!decapsulate(pipeline, i)) return -1;
    const kind = kinds[i]!;
    let outPort = -1;
    if (kind === FrameKind.Flow4 || kind === FrameKind.Flow6) {
      forgetSending(pipeline, i, kind === FrameKind.Flow4);
      outPort = kind === FrameKind.Flow4 ? forwardIpv4(i) : forwardIpv6(i);
    } else {
      outPort = forwardOther(i, kind);
    }
    // A tunnel in a tunnel: nobody of ours makes one.
    if (kinds[i] === FrameKind.Tunnel) pipeline.drop(i, DropReason.TunnelInvalid);
    pipeline.tunnelled = false;
    return outPort;
  }

  /** @returns whether it was the row's first frame (or one in 2^32 others). */
  function countRow(rows: Int32Array, packets: number, bytes: number, length: number): boolean {
    const next = (rows[packets]! + 1) | 0;
    rows[packets] = next;
    if (next === 0) rows[packets + 1]!++;
    const before = rows[bytes]!;
    const after = (before + length) | 0;
    rows[bytes] = after;
    if (before < 0 && after >= 0) rows[bytes + 1]!++;
    return next === 1;
  }

  function countVip(owner: number, tag: number, length: number): void {
    const place = (owner >>> 16) * VIP_STRIDE + ((tag & TAG_REPLY) !== 0 ? VIP_REPLY_PACKETS : VIP_REQUEST_PACKETS);
    vipCounters[place]! += 1;
    vipCounters[place + 1]! += length;
  }

  /** UDP leaves a zero checksum alone and never makes one (RFC 768); SCTP's CRC32c covers the ports alone. */
  function updateOtherChecksum(
    l4: number,
    end: number,
    protocol: number,
    delta: number,
    ports: number,
    newPorts: number,
  ): void {
    if (protocol === PROTOCOL_UDP) {
      const checksum = view.getUint16(l4 + UDP_CHECKSUM, true);
      if (checksum === 0) return;
      view.setUint16(l4 + UDP_CHECKSUM, ~fold((~checksum & 0xffff) + delta) & 0xffff || 0xffff, true);
      return;
    }
    const checksum = view.getInt32(l4 + SCTP_CHECKSUM, true);
    view.setInt32(l4 + SCTP_CHECKSUM, updateCrc32c(checksum, ports, newPorts, end - l4), true);
  }
}

/**
 * The pipeline's second pass, for one frame of any kind: looks its flow up, opens it when it is new, and rewrites the frame.
 * Most frames don't come here: fast-path.ts.
 *
 * Made as a closure over its tables: the compiler of the hot path (V8's TurboFan) then knows every typed array as a
 * constant, with its base and bounds, which makes the pipeline about twice as fast as when it gets them as arguments
 * (bench/pipeline). It holds while an isolate makes one pipeline, as each worker does.
 */
import { IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { IPV6_HOP_LIMIT, IPV6_SOURCE } from "../wire/ipv6.ts";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { sctpFlags } from "../wire/sctp.ts";
import { TCP_FLAGS } from "../wire/transport.ts";
import { answerArp, answerIcmp4, answerIcmp6 } from "./answers.ts";
import { DropReason } from "./drop-reason.ts";
import { dress } from "./dsr-dress.ts";
import { decapsulate, forgetSending } from "./dsr-receive.ts";
import { requestGrowth } from "./dsr-send.ts";
import { EGRESS_DECREMENT_TTL, EGRESS_DSR } from "./egress.ts";
import { openFlow } from "./first-frame.ts";
import type { FlowTable } from "./flow-table.ts";
import { ROW_EGRESS, ROW_STATE } from "./flow-table4.ts";
import { ROW6_DELTA, ROW6_EGRESS, ROW6_NEW_PORTS, ROW6_NEW_SOURCE, ROW6_PORTS, ROW6_STATE } from "./flow-table6.ts";
import { isNews, trackFlags } from "./flow-tracking.ts";
import { forwardLater, rememberFirst } from "./fragments.ts";
import { FrameKind } from "./frame-batch.ts";
import { offloadEstablished } from "./offload.ts";
import type { Pipeline } from "./pipeline.ts";
import { makeTranslate4, updateTransportChecksum } from "./translate4.ts";

/** Gives a frame its verdict by the kind that the first pass has found it to be of. */
export type Forwarder = (i: number) => void;

export function makeForwarder(pipeline: Pipeline): Forwarder {
  const { batch, view, flows4, flows6, leave, key } = pipeline;
  const rows4 = flows4.words;
  const rows6 = flows6.words;
  const translate4 = makeTranslate4(pipeline);
  const { length: lengths, kind: kinds, protocol: protocols, network: networks } = batch;
  const { transport: transports, end: ends, hash: hashes } = batch;

  return function forward(i) {
    const kind = kinds[i]!;
    let outPort = -1;
    if (kind === FrameKind.Flow4) outPort = forwardIpv4(i);
    else if (kind === FrameKind.Flow6) outPort = forwardIpv6(i);
    else if (kind !== FrameKind.Done) outPort = forwardOther(i, kind);
    if (outPort < 0 && kinds[i] === FrameKind.Tunnel) outPort = forwardTunnelled(i);
    if (outPort >= 0) pipeline.transmit(i, outPort);
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

    translate4(row, l3, l4, end, protocol, ttl);
    count(flows4, row, i);
    if ((egress & EGRESS_DSR) !== 0) dress(pipeline, i, true, row, outPort, growth);
    return outPort;
  }

  function forwardIpv6(i: number): number {
    const l3 = networks[i]!;
    const l4 = transports[i]!;
    const end = ends[i]!;
    const protocol = protocols[i]!;
    pipeline.loadKey(key, false, l3, l4, protocol);
    let row = flows6.findKey(hashes[i]!, key);
    if (row < 0) {
      row = openFlow(pipeline, i, false);
      if (row < 0) return -1;
    }
    if (protocol !== PROTOCOL_UDP) {
      const flags = protocol === PROTOCOL_TCP ? view.getUint8(l4 + TCP_FLAGS) : sctpFlags(view, l4, end);
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
    const newPorts = rows6[row + ROW6_NEW_PORTS]!;
    view.setInt32(l4, newPorts, true);
    updateTransportChecksum(view, l4, end, protocol, rows6[row + ROW6_DELTA]!, rows6[row + ROW6_PORTS]!, newPorts);
    count(flows6, row, i);
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

  function count(flows: FlowTable, row: number, i: number): void {
    const { words, layout } = flows;
    const length = lengths[i]!;
    if (flows.isOffloaded(row)) flows.countFrame(row, length, pipeline.now);
    else if (flows.countOwn(row, length, pipeline.now)) offloadEstablished(pipeline, flows, row);
    pipeline.countVip(words[row + layout.owner]!, flows.isReply(row), length);
  }
}

/**
 * The fast path: both passes over a batch, with the plain frames worked off here. Plain is what nearly all frames are: IPv4
 * without options or fragments, TCP or UDP, of a flow that is open and about which the frame says nothing new. All others,
 * and whatever is wrong with a frame, are left to classify.ts and forward.ts, one by one.
 *
 * It decides nothing: what it takes, those two would forward in the same way (fast-path.test.ts holds them against each
 * other). A frame is left to them before anything of it or its row has been changed, so they begin with it as it came.
 *
 * It is fast because it is flat and short: no call that V8's compiler might not inline (it has a budget, which the general
 * way with all its branches uses up), no variable that could be anything but a small integer (a function that may return
 * "no row" or drop the frame makes its result a checked one, at each use), and of the batch's columns no more than the flow
 * hash. Hence translate4.ts is repeated here rather than called. bench/pipeline measures it.
 */
import { fold, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  RAW_FRAGMENT_MASK,
} from "../wire/ipv4.ts";
import { swap16 } from "../wire/raw.ts";
import {
  ACK,
  FIN,
  RST,
  SYN,
  TCP_CHECKSUM,
  TCP_DATA_OFFSET,
  TCP_FLAGS,
  TCP_HEADER_BYTES,
  UDP_HEADER_BYTES,
  UDP_LENGTH,
  URG,
} from "../wire/transport.ts";
import type { Classifier } from "./classify.ts";
import { RECEIVED_BYTES, TRANSMITTED, TRANSMITTED_BYTES } from "./counters.ts";
import {
  EGRESS_CHECK_TTL,
  EGRESS_DECREMENT_TTL,
  EGRESS_DSR,
  EGRESS_KEEP_MAC,
  EGRESS_NEIGHBOR_SHIFT,
  EGRESS_PAIR,
  EGRESS_PORT,
} from "./egress.ts";
import { TAG_OFFLOADED, TAG_REPLY } from "./flow-table.ts";
import {
  ROW_DELTAS,
  ROW_EGRESS,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_NEW_SOURCE,
  ROW_OWNER,
  ROW_STATE,
  ROW_TAG,
} from "./flow-table4.ts";
import { isNews } from "./flow-tracking.ts";
import type { Forwarder } from "./forward.ts";
import { FrameKind, Verdict } from "./frame-batch.ts";
import { offloadEstablished } from "./offload.ts";
import type { Pipeline } from "./pipeline.ts";
import { PORT_WIRE } from "./port-table.ts";
import { updateUdpChecksum } from "./translate4.ts";

/** Where the headers of a plain frame are, and its shortest packet. */
const NETWORK = ETHERNET_HEADER_BYTES;
const TRANSPORT = NETWORK + IPV4_HEADER_BYTES;
const ETHERTYPE = 12;
const SHORTEST = IPV4_HEADER_BYTES + UDP_HEADER_BYTES;
/** Version 4, a header of five words. */
const NO_OPTIONS = 0x45;
/** Flags that change a state or are rare. A plain segment has ACK alone of them. */
const SEGMENT_FLAGS = FIN | SYN | RST | ACK | URG;

/** Works on the whole batch. */
export type Pass = () => void;

/**
 * A closure over its tables, see forward.ts.
 * @returns both passes, in their order.
 */
export function makeFastPath(pipeline: Pipeline, classifyOther: Classifier, forwardOther: Forwarder): readonly Pass[] {
  const { batch, view, flows4, flows6, ports, neighbors } = pipeline;
  const { offset: offsets, length: lengths, port: inPorts, kind: kinds, hash: hashes } = batch;
  const { network: networks, transport: transports, end: ends, protocol: protocols } = batch;
  const { verdict: verdicts, egress: egresses } = batch;
  const rows = flows4.words;
  const { totals } = pipeline.counters;

  return [classify, forward];

  /** First pass. */
  function classify(): void {
    const count = batch.count;
    let bytes = 0;
    let others = 0;
    for (let i = 0; i < count; i++) {
      const at = offsets[i]!;
      const length = lengths[i]!;
      const port = inPorts[i]!;
      bytes = (bytes + length) | 0;
      const available = length - ETHERNET_HEADER_BYTES;
      if (
        available < SHORTEST ||
        view.getUint16(at + ETHERTYPE, true) !== ports.plainIpv4(port) ||
        ((view.getInt32(at, true) !== ports.macFirst(port) || view.getUint16(at + 4, true) !== ports.macLast(port)) &&
          ports.kind(port) === PORT_WIRE)
      ) {
        classifyOther(i, i + 1);
        others = 1;
        continue;
      }
      const word0 = view.getInt32(at + NETWORK, true);
      const word1 = view.getInt32(at + NETWORK + 4, true);
      const word2 = view.getInt32(at + NETWORK + IPV4_TTL, true);
      const source = view.getInt32(at + NETWORK + IPV4_SOURCE, true);
      const destination = view.getInt32(at + NETWORK + IPV4_DESTINATION, true);
      const totalBytes = swap16(word0 >>> 16);
      let sum =
        (word0 & 0xffff) + (word0 >>> 16) + (word1 & 0xffff) + (word1 >>> 16) + (word2 & 0xffff) + (word2 >>> 16);
      sum += (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16);
      const protocol = (word2 >>> 8) & 0xff;
      if (
        (word0 & 0xff) !== NO_OPTIONS ||
        totalBytes > available ||
        ((word1 >>> 16) & RAW_FRAGMENT_MASK) !== 0 ||
        fold(sum) !== 0xffff ||
        !isPlainTransport(protocol, at + TRANSPORT, totalBytes - IPV4_HEADER_BYTES)
      ) {
        classifyOther(i, i + 1);
        others = 1;
        continue;
      }
      hashes[i] = flows4.hash(source, destination, view.getInt32(at + TRANSPORT, true), protocol);
      kinds[i] = FrameKind.Plain;
    }
    totals[RECEIVED_BYTES]! += bytes;
    flows4.touchAll(batch);
    if (others !== 0) flows6.touchAll(batch);
  }

  function isPlainTransport(protocol: number, l4: number, payloadBytes: number): boolean {
    if (protocol === PROTOCOL_TCP) {
      if (payloadBytes < TCP_HEADER_BYTES) return false;
      const offsetAndFlags = view.getUint16(l4 + TCP_DATA_OFFSET, true);
      const headerBytes = (offsetAndFlags & 0xf0) >>> 2;
      if (headerBytes < TCP_HEADER_BYTES || headerBytes > payloadBytes) return false;
      return (offsetAndFlags & (SEGMENT_FLAGS << 8)) === ACK << 8;
    }
    if (protocol !== PROTOCOL_UDP) return false;
    const udpBytes = view.getUint16(l4 + UDP_LENGTH);
    return udpBytes >= UDP_HEADER_BYTES && udpBytes <= payloadBytes;
  }

  /** Second pass. */
  function forward(): void {
    const count = batch.count;
    const now = pipeline.now;
    let transmitted = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      if (kinds[i] !== FrameKind.Plain) {
        forwardOther(i);
        continue;
      }
      const at = offsets[i]!;
      const ttlAndProtocol = view.getUint16(at + NETWORK + IPV4_TTL, true);
      const ttl = ttlAndProtocol & 0xff;
      const protocol = ttlAndProtocol >>> 8;
      const row = flows4.find(
        hashes[i]!,
        view.getInt32(at + NETWORK + IPV4_SOURCE, true),
        view.getInt32(at + NETWORK + IPV4_DESTINATION, true),
        view.getInt32(at + TRANSPORT, true),
        protocol,
      );
      if (row < 0) {
        forwardUnplain(i);
        continue;
      }
      const length = lengths[i]!;
      const tag = rows[row + ROW_TAG]!;
      const egress = rows[row + ROW_EGRESS]!;
      const port = (egress & EGRESS_PAIR) !== 0 ? ports.pair(inPorts[i]!) : egress & EGRESS_PORT;
      const neighbor = egress >>> EGRESS_NEIGHBOR_SHIFT;
      const keepsMac = (egress & EGRESS_KEEP_MAC) !== 0;
      if (
        (protocol === PROTOCOL_TCP && isNews(rows[row + ROW_STATE]!, view.getUint8(at + TRANSPORT + TCP_FLAGS))) ||
        (tag & TAG_OFFLOADED) !== 0 ||
        (egress & EGRESS_DSR) !== 0 ||
        (ttl <= 1 && (ttl === 0 || (egress & EGRESS_CHECK_TTL) !== 0)) ||
        // With padding, which may make it look too long; the general way looks closer.
        length - ETHERNET_HEADER_BYTES > ports.mtu(port) ||
        !(keepsMac || neighbors.isValid(neighbor))
      ) {
        forwardUnplain(i);
        continue;
      }
      if (!keepsMac) neighbors.writeMacs(neighbor, view, at);

      const deltas = rows[row + ROW_DELTAS]!;
      let headerDelta = deltas & 0xffff;
      if ((egress & EGRESS_DECREMENT_TTL) !== 0) {
        view.setUint8(at + NETWORK + IPV4_TTL, ttl - 1);
        headerDelta += TTL_DECREMENT_DELTA;
      }
      const header = ~view.getUint16(at + NETWORK + IPV4_CHECKSUM, true) & 0xffff;
      view.setUint16(at + NETWORK + IPV4_CHECKSUM, ~fold(header + headerDelta) & 0xffff, true);
      view.setInt32(at + NETWORK + IPV4_SOURCE, rows[row + ROW_NEW_SOURCE]!, true);
      view.setInt32(at + NETWORK + IPV4_DESTINATION, rows[row + ROW_NEW_DESTINATION]!, true);
      view.setInt32(at + TRANSPORT, rows[row + ROW_NEW_PORTS]!, true);
      if (protocol === PROTOCOL_TCP) {
        const checksum = ~view.getUint16(at + TRANSPORT + TCP_CHECKSUM, true) & 0xffff;
        view.setUint16(at + TRANSPORT + TCP_CHECKSUM, ~fold(checksum + (deltas >>> 16)) & 0xffff, true);
      } else {
        updateUdpChecksum(view, at + TRANSPORT, deltas >>> 16);
      }

      if (flows4.countOwn(row, length, now)) offloadEstablished(pipeline, flows4, row);
      pipeline.countVip(rows[row + ROW_OWNER]!, (tag & TAG_REPLY) !== 0, length);
      verdicts[i] = Verdict.Transmit;
      egresses[i] = port;
      transmitted = (transmitted + 1) | 0;
      bytes = (bytes + length) | 0;
    }
    totals[TRANSMITTED]! += transmitted;
    totals[TRANSMITTED_BYTES]! += bytes;
  }

  /** A frame that was plain by its headers alone: the columns that it needs now are filled in. */
  function forwardUnplain(i: number): void {
    const l3 = offsets[i]! + NETWORK;
    kinds[i] = FrameKind.Flow4;
    protocols[i] = view.getUint8(l3 + IPV4_TTL + 1);
    networks[i] = l3;
    transports[i] = l3 + IPV4_HEADER_BYTES;
    ends[i] = l3 + view.getUint16(l3 + IPV4_TOTAL_LENGTH);
    forwardOther(i);
  }
}

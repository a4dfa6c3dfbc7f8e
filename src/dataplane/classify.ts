/**
 * The pipeline's first pass: parses and checks the headers of each frame of a batch, so that the second one can trust
 * them, and computes its flow hash. What is wrong is dropped with its reason; what is not for us is passed.
 *
 * After it, `batch.transport[i]` is the offset of the transport header of a frame to look up, or one of the markers.
 */

import { fold } from "../wire/checksum.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import {
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  IPV4_TTL,
  PROTOCOL_ICMP,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  RAW_FRAGMENT_MASK,
} from "../wire/ipv4.ts";
import { swap16 } from "../wire/raw.ts";
import {
  SCTP_HEADER_BYTES,
  TCP_DATA_OFFSET,
  TCP_HEADER_BYTES,
  tcpFlagsValid,
  UDP_HEADER_BYTES,
  UDP_LENGTH,
} from "../wire/transport.ts";
import { RECEIVED, RECEIVED_BYTES } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import type { Pipeline } from "./pipeline.ts";
import { PORT_WIRE } from "./port-table.ts";

const RAW_ETHERTYPE_IPV4 = 0x0008;
const RAW_ETHERTYPE_ARP = 0x0608;

/** Markers in `FrameBatch.transport` for frames that the second pass does not look up: verdict given already, */
export const DONE = -1;
/** an ARP packet, */
export const ARP = -2;
/** an ICMP message. */
export const ICMP = -3;

/** @returns the pass; a closure over its tables, see forward.ts. */
export function makeClassifier(pipeline: Pipeline): () => void {
  const { batch, view, flows, ports } = pipeline;
  const totals = pipeline.counters.totals;
  const { offset: offsets, length: lengths, port: inPorts, transport: transports, hash: hashes } = batch;

  return function classify() {
    const count = batch.count;
    let receivedBytes = 0;
    for (let i = 0; i < count; i++) {
      const offset = offsets[i]!;
      const length = lengths[i]!;
      const port = inPorts[i]!;
      receivedBytes += length;
      if (length < ETHERNET_HEADER_BYTES) {
        pipeline.drop(i, DropReason.FrameTooShort);
        continue;
      }
      const etherType = view.getUint16(offset + 12, true);
      const macFirst = view.getInt32(offset, true);
      const toUs =
        (macFirst === ports.macFirst(port) && view.getUint16(offset + 4, true) === ports.macLast(port)) ||
        ports.kind(port) !== PORT_WIRE;
      if (etherType !== RAW_ETHERTYPE_IPV4) {
        if (etherType === RAW_ETHERTYPE_ARP && (toUs || (macFirst & 1) !== 0)) transports[i] = ARP;
        else pipeline.pass(i, DropReason.NotIpv4);
        continue;
      }
      const l3 = offset + ETHERNET_HEADER_BYTES;
      const available = length - ETHERNET_HEADER_BYTES;
      if (available < IPV4_HEADER_BYTES) {
        pipeline.drop(i, DropReason.Ipv4HeaderInvalid);
        continue;
      }
      if (!toUs) {
        // RFC 1122 §3.3.6: a unicast address in a link-layer broadcast is not to be answered.
        if ((macFirst & 1) !== 0) pipeline.refuse(i, l3, DropReason.BroadcastUnicast);
        else pipeline.pass(i, DropReason.NotOurMac);
        continue;
      }
      const word0 = view.getInt32(l3, true);
      const headerBytes = (word0 & 0x0f) << 2;
      if ((word0 & 0xf0) !== 0x40 || headerBytes < IPV4_HEADER_BYTES || headerBytes > available) {
        pipeline.refuse(i, l3, DropReason.Ipv4HeaderInvalid);
        continue;
      }
      const totalBytes = swap16(word0 >>> 16);
      if (totalBytes < headerBytes || totalBytes > available) {
        pipeline.refuse(i, l3, DropReason.Ipv4LengthInvalid);
        continue;
      }
      const word1 = view.getInt32(l3 + 4, true);
      const word2 = view.getInt32(l3 + IPV4_TTL, true);
      const source = view.getInt32(l3 + IPV4_SOURCE, true);
      const destination = view.getInt32(l3 + IPV4_DESTINATION, true);
      let sum =
        (word0 & 0xffff) + (word0 >>> 16) + (word1 & 0xffff) + (word1 >>> 16) + (word2 & 0xffff) + (word2 >>> 16);
      sum += (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16);
      for (let at = l3 + IPV4_HEADER_BYTES; at < l3 + headerBytes; at += 2) sum += view.getUint16(at, true);
      if (fold(sum) !== 0xffff) {
        pipeline.refuse(i, l3, DropReason.Ipv4ChecksumInvalid);
        continue;
      }
      if (((word1 >>> 16) & RAW_FRAGMENT_MASK) !== 0) {
        pipeline.refuse(i, l3, DropReason.Fragment);
        continue;
      }
      const protocol = (word2 >>> 8) & 0xff;
      const l4 = l3 + headerBytes;
      const payloadBytes = totalBytes - headerBytes;
      if (protocol === PROTOCOL_TCP) {
        if (payloadBytes < TCP_HEADER_BYTES) {
          pipeline.refuse(i, l3, DropReason.TransportTruncated);
          continue;
        }
        const offsetAndFlags = view.getUint16(l4 + TCP_DATA_OFFSET, true);
        const tcpHeaderBytes = (offsetAndFlags & 0xf0) >>> 2;
        if (tcpHeaderBytes < TCP_HEADER_BYTES || tcpHeaderBytes > payloadBytes) {
          pipeline.refuse(i, l3, DropReason.TcpHeaderInvalid);
          continue;
        }
        if (!tcpFlagsValid(offsetAndFlags >>> 8)) {
          pipeline.refuse(i, l3, DropReason.TcpFlagsInvalid);
          continue;
        }
      } else if (protocol === PROTOCOL_UDP) {
        if (payloadBytes < UDP_HEADER_BYTES) {
          pipeline.refuse(i, l3, DropReason.TransportTruncated);
          continue;
        }
        const udpBytes = view.getUint16(l4 + UDP_LENGTH);
        if (udpBytes < UDP_HEADER_BYTES || udpBytes > payloadBytes) {
          pipeline.refuse(i, l3, DropReason.UdpLengthInvalid);
          continue;
        }
      } else if (protocol === PROTOCOL_SCTP) {
        if (payloadBytes < SCTP_HEADER_BYTES) {
          pipeline.refuse(i, l3, DropReason.TransportTruncated);
          continue;
        }
      } else if (protocol === PROTOCOL_ICMP) {
        transports[i] = ICMP;
        continue;
      } else {
        pipeline.refuse(i, l3, DropReason.ProtocolNotServed);
        continue;
      }
      const hash = flows.hash(source, destination, view.getInt32(l4, true), protocol);
      hashes[i] = hash;
      transports[i] = l4;
      flows.touch(hash);
    }
    totals[RECEIVED]! += count;
    totals[RECEIVED_BYTES]! += receivedBytes;
  };
}

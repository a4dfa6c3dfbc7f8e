/**
 * The pipeline's first pass, for frames of any kind: parses and checks their headers, so that the second pass can trust
 * them, and computes the flow hash. What is wrong is dropped with its reason; what is not for us is passed. Most frames
 * don't come here: fast-path.ts.
 *
 * After it, `batch.kind` says what the second pass has to do, and `network`, `transport` and `end` where the headers are.
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
  RAW_FRAGMENT_OFFSET,
} from "../wire/ipv4.ts";
import {
  EXTENSION_LATER_FRAGMENT,
  FOUND_FRAGMENT,
  FOUND_PROTOCOL,
  IPV6_HEADER_BYTES,
  IPV6_PAYLOAD_LENGTH,
  PROTOCOL_ICMPV6,
  walkExtensions,
} from "../wire/ipv6.ts";
import { swap16 } from "../wire/raw.ts";
import {
  SCTP_HEADER_BYTES,
  TCP_DATA_OFFSET,
  TCP_HEADER_BYTES,
  tcpFlagsValid,
  UDP_HEADER_BYTES,
  UDP_LENGTH,
} from "../wire/transport.ts";
import { PROTOCOL_IPIP, PROTOCOL_IPV6 } from "../wire/tunnel.ts";
import { DropReason } from "./drop-reason.ts";
import { FrameKind } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";
import { PORT_WIRE } from "./port-table.ts";
import { takeTags } from "./vlan-tags.ts";

const RAW_ETHERTYPE_IPV4 = 0x0008;
const RAW_ETHERTYPE_ARP = 0x0608;
const RAW_ETHERTYPE_IPV6 = 0xdd86;

/** `transportFault` answers so when there is none. */
const SOUND = 0;

/** Works on the frames `first` to `end` (exclusive) of the batch. @returns their bytes. */
export type Classifier = (first: number, end: number) => number;

/** @returns the pass; a closure over its tables, see forward.ts. */
export function makeClassifier(pipeline: Pipeline): Classifier {
  const { batch, view, flows4, flows6, ports, key } = pipeline;
  const { offset: offsets, length: lengths, port: inPorts } = batch;
  const {
    kind: kinds,
    protocol: protocols,
    network: networks,
    fragment: fragmentHeaders,
    transport: transports,
    end: ends,
    hash: hashes,
  } = batch;
  const extensions = new Int32Array(2);

  return function classify(first, end) {
    let receivedBytes = 0;
    for (let i = first; i < end; i++) {
      let offset = offsets[i]!;
      let length = lengths[i]!;
      const port = inPorts[i]!;
      receivedBytes += length;
      if (length < ETHERNET_HEADER_BYTES) {
        pipeline.drop(i, DropReason.FrameTooShort);
        continue;
      }
      let etherType = view.getUint16(offset + 12, true);
      const macFirst = view.getInt32(offset, true);
      const toUs =
        (macFirst === ports.macFirst(port) && view.getUint16(offset + 4, true) === ports.macLast(port)) ||
        ports.kind(port) !== PORT_WIRE;
      let l3 = offset + ETHERNET_HEADER_BYTES;
      if (etherType !== ports.plainIpv4(port) && ports.outerTag(port) !== 0) {
        if (!takeTags(pipeline, i)) continue;
        offset = offsets[i]!;
        length = lengths[i]!;
        etherType = view.getUint16(offset + 12, true);
        l3 = offset + ETHERNET_HEADER_BYTES;
      }
      networks[i] = l3;
      if (etherType !== RAW_ETHERTYPE_IPV4) {
        if (etherType === RAW_ETHERTYPE_IPV6) classifyIpv6(i, l3, offset + length, toUs, (macFirst & 1) !== 0);
        else if (etherType === RAW_ETHERTYPE_ARP && (toUs || (macFirst & 1) !== 0)) kinds[i] = FrameKind.Arp;
        else pipeline.pass(i, DropReason.NotIp);
        continue;
      }
      const available = length - ETHERNET_HEADER_BYTES;
      if (available < IPV4_HEADER_BYTES) {
        pipeline.drop(i, DropReason.Ipv4HeaderInvalid);
        continue;
      }
      if (!toUs) {
        // RFC 1122 §3.3.6: a unicast address in a link-layer broadcast is not to be answered.
        if ((macFirst & 1) !== 0) pipeline.refuse(i, true, l3, DropReason.BroadcastUnicast);
        else pipeline.pass(i, DropReason.NotOurMac);
        continue;
      }
      const word0 = view.getInt32(l3, true);
      const headerBytes = (word0 & 0x0f) << 2;
      if ((word0 & 0xf0) !== 0x40 || headerBytes < IPV4_HEADER_BYTES || headerBytes > available) {
        pipeline.refuse(i, true, l3, DropReason.Ipv4HeaderInvalid);
        continue;
      }
      const totalBytes = swap16(word0 >>> 16);
      if (totalBytes < headerBytes || totalBytes > available) {
        pipeline.refuse(i, true, l3, DropReason.Ipv4LengthInvalid);
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
        pipeline.refuse(i, true, l3, DropReason.Ipv4ChecksumInvalid);
        continue;
      }
      const protocol = (word2 >>> 8) & 0xff;
      const l4 = l3 + headerBytes;
      protocols[i] = protocol;
      transports[i] = l4;
      ends[i] = l3 + totalBytes;
      if (((word1 >>> 16) & RAW_FRAGMENT_MASK) !== 0) {
        classifyFragment(i, true, l3, l3, ((word1 >>> 16) & RAW_FRAGMENT_OFFSET) !== 0);
        continue;
      }
      if (protocol === PROTOCOL_ICMP) {
        kinds[i] = FrameKind.Icmp4;
        continue;
      }
      const fault = transportFault(protocol, l4, totalBytes - headerBytes);
      if (fault !== SOUND) {
        if (isIpInIp(protocol)) kinds[i] = FrameKind.Tunnel;
        else pipeline.refuse(i, true, l3, fault);
        continue;
      }
      hashes[i] = flows4.hash(source, destination, view.getInt32(l4, true), protocol);
      kinds[i] = FrameKind.Flow4;
    }
    return receivedBytes;
  };

  function classifyIpv6(i: number, l3: number, frameEnd: number, toUs: boolean, toGroup: boolean): void {
    if (frameEnd - l3 < IPV6_HEADER_BYTES) {
      pipeline.drop(i, DropReason.Ipv6HeaderInvalid);
      return;
    }
    if (!toUs && !toGroup) {
      pipeline.pass(i, DropReason.NotOurMac);
      return;
    }
    const end = l3 + IPV6_HEADER_BYTES + view.getUint16(l3 + IPV6_PAYLOAD_LENGTH);
    if (view.getUint8(l3) >>> 4 !== 6 || end > frameEnd) {
      pipeline.refuse(i, false, l3, DropReason.Ipv6HeaderInvalid);
      return;
    }
    const l4 = walkExtensions(view, l3, end, extensions);
    if (l4 < 0 && l4 !== EXTENSION_LATER_FRAGMENT) {
      pipeline.refuse(i, false, l3, DropReason.Ipv6ExtensionsInvalid);
      return;
    }
    const protocol = extensions[FOUND_PROTOCOL]!;
    protocols[i] = protocol;
    transports[i] = l4;
    ends[i] = end;
    if (extensions[FOUND_FRAGMENT] !== -1) {
      classifyFragment(i, false, l3, extensions[FOUND_FRAGMENT]!, l4 === EXTENSION_LATER_FRAGMENT);
      return;
    }
    if (protocol === PROTOCOL_ICMPV6) {
      kinds[i] = FrameKind.Icmp6;
      return;
    }
    if (!toUs) {
      pipeline.refuse(i, false, l3, DropReason.BroadcastUnicast);
      return;
    }
    const fault = transportFault(protocol, l4, end - l4);
    if (fault !== SOUND) {
      if (isIpInIp(protocol)) kinds[i] = FrameKind.Tunnel;
      else pipeline.refuse(i, false, l3, fault);
      return;
    }
    pipeline.loadKey(key, false, l3, l4, protocol);
    hashes[i] = flows6.hashKey(key);
    kinds[i] = FrameKind.Flow6;
  }

  /** A first fragment has the transport header and is treated as its packet; a later one has the addresses only. */
  function classifyFragment(i: number, isIpv4: boolean, l3: number, header: number, later: boolean): void {
    if (!pipeline.table.tracksFragments) {
      pipeline.refuse(i, isIpv4, l3, DropReason.FragmentNotServed);
      return;
    }
    fragmentHeaders[i] = header;
    if (later) {
      kinds[i] = isIpv4 ? FrameKind.LaterFragment4 : FrameKind.LaterFragment6;
      return;
    }
    const l4 = transports[i]!;
    const protocol = protocols[i]!;
    const fault = firstFragmentFault(protocol, l4, ends[i]! - l4);
    if (fault !== SOUND) {
      pipeline.refuse(i, isIpv4, l3, fault);
      return;
    }
    pipeline.loadKey(key, isIpv4, l3, l4, protocol);
    hashes[i] = pipeline.flowsOf(isIpv4).hashKey(key);
    kinds[i] = isIpv4 ? FrameKind.FirstFragment4 : FrameKind.FirstFragment6;
  }

  /** What is wrong with a transport header whose packet goes on in other fragments. */
  function firstFragmentFault(protocol: number, l4: number, payloadBytes: number): number {
    if (protocol === PROTOCOL_UDP) {
      if (payloadBytes < UDP_HEADER_BYTES) return DropReason.FragmentInvalid;
      return view.getUint16(l4 + UDP_LENGTH) < UDP_HEADER_BYTES ? DropReason.UdpLengthInvalid : SOUND;
    }
    if (protocol !== PROTOCOL_TCP) return DropReason.FragmentNotServed;
    // With its options: a header that is cut in two is a way round filters (RFC 1858).
    return payloadBytes < TCP_HEADER_BYTES ? DropReason.FragmentInvalid : transportFault(protocol, l4, payloadBytes);
  }

  function isIpInIp(protocol: number): boolean {
    return protocol === PROTOCOL_IPIP || protocol === PROTOCOL_IPV6;
  }

  /** What is wrong with a transport header, as a DropReason; SOUND when nothing is. */
  function transportFault(protocol: number, l4: number, payloadBytes: number): number {
    if (protocol === PROTOCOL_TCP) {
      if (payloadBytes < TCP_HEADER_BYTES) return DropReason.TransportTruncated;
      const offsetAndFlags = view.getUint16(l4 + TCP_DATA_OFFSET, true);
      const tcpHeaderBytes = (offsetAndFlags & 0xf0) >>> 2;
      if (tcpHeaderBytes < TCP_HEADER_BYTES || tcpHeaderBytes > payloadBytes) return DropReason.TcpHeaderInvalid;
      return tcpFlagsValid(offsetAndFlags >>> 8) ? SOUND : DropReason.TcpFlagsInvalid;
    }
    if (protocol === PROTOCOL_UDP) {
      if (payloadBytes < UDP_HEADER_BYTES) return DropReason.TransportTruncated;
      const udpBytes = view.getUint16(l4 + UDP_LENGTH);
      return udpBytes < UDP_HEADER_BYTES || udpBytes > payloadBytes ? DropReason.UdpLengthInvalid : SOUND;
    }
    if (protocol === PROTOCOL_SCTP) return payloadBytes < SCTP_HEADER_BYTES ? DropReason.TransportTruncated : SOUND;
    return DropReason.ProtocolNotServed;
  }
}

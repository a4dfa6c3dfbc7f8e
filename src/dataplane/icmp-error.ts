/**
 * Errors of our own: ICMP and ICMPv6 messages about frames that go no further, and the TCP reset that refuses a
 * connection. They are written over the frame and go back where it came from; the frame counts as dropped all the same.
 *
 * Rules that keep errors from making trouble (RFC 1122 §3.2.2, RFC 4443 §2.4): never about an error, a fragment or a
 * frame to a group, no more than the original's beginning quoted, and a limited rate.
 */
import { sumBytes } from "../wire/checksum.ts";
import {
  ICMP_CHECKSUM,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HEADER_BYTES,
  ICMP_HOST_UNREACHABLE,
  ICMP_NET_UNREACHABLE,
  ICMP_PORT_UNREACHABLE,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  ICMP6_ADDRESS_UNREACHABLE,
  ICMP6_NO_ROUTE,
  ICMP6_PACKET_TOO_BIG,
  ICMP6_PORT_UNREACHABLE,
  ICMP6_TIME_EXCEEDED,
  ICMP6_UNREACHABLE,
} from "../wire/icmp.ts";
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  RAW_FRAGMENT_OFFSET,
} from "../wire/ipv4.ts";
import {
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
} from "../wire/ipv6.ts";
import { transportChecksum } from "../wire/pseudo-header.ts";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { ACK, FIN, RST, SYN, TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER_BYTES } from "../wire/transport.ts";
import { Verdict } from "./frame-batch.ts";
import { STACK_NEIGHBOR } from "./neighbor-table.ts";
import type { Pipeline } from "./pipeline.ts";
import { PORT_STACK } from "./port-table.ts";

/** TTL of what we send ourselves. */
export const OWN_TTL = 64;

/** RFC 1812 §4.3.2.3: an IPv4 error has at most 576 bytes; RFC 4443 §3.1: an IPv6 one fits the minimum MTU. */
const MAX_QUOTE4 = 576 - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES;
const MAX_QUOTE6 = 1280 - IPV6_HEADER_BYTES - ICMP_HEADER_BYTES;

const RAW_DONT_FRAGMENT = 0x0040;

export function timeExceeded(pipeline: Pipeline, i: number, reason: number): void {
  pipeline.drop(i, reason);
  if (isIpv4(pipeline, i)) sendError(pipeline, i, ICMP_TIME_EXCEEDED, 0, 0);
  else sendError(pipeline, i, ICMP6_TIME_EXCEEDED, 0, 0);
}

/** Of IPv4 only to those who have asked to be told: a packet that may be fragmented and can't be is lost. */
export function packetTooBig(pipeline: Pipeline, i: number, mtu: number, reason: number): void {
  const dontFragment = (pipeline.view.getUint16(pipeline.batch.network[i]! + 6, true) & RAW_DONT_FRAGMENT) !== 0;
  pipeline.drop(i, reason);
  if (!isIpv4(pipeline, i)) sendError(pipeline, i, ICMP6_PACKET_TOO_BIG, 0, mtu);
  else if (dontFragment) sendError(pipeline, i, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, mtu);
}

export function destinationUnreachable(pipeline: Pipeline, i: number, reason: number): void {
  pipeline.drop(i, reason);
  if (isIpv4(pipeline, i)) sendError(pipeline, i, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
  else sendError(pipeline, i, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0);
}

/** There is a route, and nobody at its end. */
export function hostUnreachable(pipeline: Pipeline, i: number, reason: number): void {
  pipeline.drop(i, reason);
  if (isIpv4(pipeline, i)) sendError(pipeline, i, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
  else sendError(pipeline, i, ICMP6_UNREACHABLE, ICMP6_ADDRESS_UNREACHABLE, 0);
}

/** Nobody serves here: a reset for TCP (RFC 9293 §3.10.7.1), port unreachable for the rest. */
export function refuseConnection(pipeline: Pipeline, i: number, reason: number): void {
  const protocol = pipeline.batch.protocol[i]!;
  pipeline.drop(i, reason);
  if (protocol === PROTOCOL_TCP) sendReset(pipeline, i);
  else if (isIpv4(pipeline, i)) sendError(pipeline, i, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
  else sendError(pipeline, i, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0);
}

function isIpv4(pipeline: Pipeline, i: number): boolean {
  return pipeline.view.getUint8(pipeline.batch.network[i]!) >>> 4 === 4;
}

function sendError(pipeline: Pipeline, i: number, type: number, code: number, mtu: number): void {
  const { batch, view, bytes, ports } = pipeline;
  if (!mayAnswer(pipeline, i)) return;
  const four = isIpv4(pipeline, i);
  const network = batch.network[i]!;
  const quoted = Math.min(batch.end[i]! - network, four ? MAX_QUOTE4 : MAX_QUOTE6);
  const headerBytes = four ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const icmp = network + headerBytes;
  const quote = icmp + ICMP_HEADER_BYTES;
  bytes.copyWithin(quote, network, network + quoted);

  const addressBytes = four ? 4 : 16;
  const source = four ? IPV4_SOURCE : IPV6_SOURCE;
  const destination = four ? IPV4_DESTINATION : IPV6_DESTINATION;
  bytes.copyWithin(network + destination, quote + source, quote + source + addressBytes);
  // From the port's own address; a port without one speaks as the address that was asked for.
  const own = ports.addressAt(batch.port[i]!, four);
  if (ports.words[own + ADDRESS_WORDS - 1] === 0) {
    bytes.copyWithin(network + source, quote + destination, quote + destination + addressBytes);
  } else {
    const first = four ? ADDRESS_WORDS - 1 : 0;
    for (let word = first; word < ADDRESS_WORDS; word++) {
      view.setInt32(network + source + 4 * (word - first), ports.words[own + word]!, true);
    }
  }

  const icmpBytes = ICMP_HEADER_BYTES + quoted;
  view.setUint8(icmp, type);
  view.setUint8(icmp + 1, code);
  view.setUint16(icmp + ICMP_CHECKSUM, 0);
  // Both families have the MTU where the other errors have nothing: 32 bits, of which IPv4 uses the lower 16.
  view.setUint32(icmp + 4, mtu);
  if (four) {
    writeIpv4Header(view, network, icmpBytes, PROTOCOL_ICMP);
    view.setUint16(icmp + ICMP_CHECKSUM, ~sumBytes(view, icmp, icmpBytes) & 0xffff, true);
  } else {
    writeIpv6Header(view, network, icmpBytes, PROTOCOL_ICMPV6);
    const checksum = transportChecksum(view, false, network, PROTOCOL_ICMPV6, icmp, icmpBytes);
    view.setUint16(icmp + ICMP_CHECKSUM, checksum, true);
  }
  sendBack(pipeline, i, quote + quoted);
}

/** The reset takes its numbers from the segment, so it is believed (RFC 9293 §3.10.7.1, first list). */
function sendReset(pipeline: Pipeline, i: number): void {
  const { batch, view, bytes } = pipeline;
  const segment = batch.transport[i]!;
  const flags = view.getUint8(segment + TCP_FLAGS);
  if ((flags & RST) !== 0 || !mayAnswer(pipeline, i)) return;
  const four = isIpv4(pipeline, i);
  const network = batch.network[i]!;
  const ports = view.getInt32(segment, true);
  const sequence = view.getUint32(segment + 4);
  const acknowledged = view.getUint32(segment + 8);
  const dataOffset = (view.getUint8(segment + TCP_DATA_OFFSET) >>> 4) * 4;
  const data = batch.end[i]! - segment - dataOffset + ((flags & SYN) !== 0 ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0);

  const addressBytes = four ? 4 : 16;
  const source = network + (four ? IPV4_SOURCE : IPV6_SOURCE);
  for (let at = 0; at < addressBytes; at += 4) {
    const word = view.getInt32(source + at, true);
    view.setInt32(source + at, view.getInt32(source + addressBytes + at, true), true);
    view.setInt32(source + addressBytes + at, word, true);
  }
  const tcp = network + (four ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
  bytes.fill(0, tcp, tcp + TCP_HEADER_BYTES);
  view.setInt32(tcp, (ports >>> 16) | (ports << 16), true);
  if ((flags & ACK) !== 0) {
    view.setUint32(tcp + 4, acknowledged);
    view.setUint8(tcp + TCP_FLAGS, RST);
  } else {
    view.setUint32(tcp + 8, (sequence + data) >>> 0);
    view.setUint8(tcp + TCP_FLAGS, RST | ACK);
  }
  view.setUint8(tcp + TCP_DATA_OFFSET, (TCP_HEADER_BYTES / 4) << 4);
  if (four) writeIpv4Header(view, network, TCP_HEADER_BYTES, PROTOCOL_TCP);
  else writeIpv6Header(view, network, TCP_HEADER_BYTES, PROTOCOL_TCP);
  const checksum = transportChecksum(view, four, network, PROTOCOL_TCP, tcp, TCP_HEADER_BYTES);
  view.setUint16(tcp + TCP_CHECKSUM, checksum, true);
  sendBack(pipeline, i, tcp + TCP_HEADER_BYTES);
}

/**
 * Not about ICMP, which may be an error itself, nor about frames to a group, nor about a later fragment of IPv4: one answer
 * for a datagram is enough, and says whose it was (RFC 1812 §4.3.2.7). And within the rate.
 */
function mayAnswer(pipeline: Pipeline, i: number): boolean {
  const { batch, view } = pipeline;
  const isLater = (view.getUint16(batch.network[i]! + 6, true) & RAW_FRAGMENT_OFFSET) !== 0;
  if (isLater && isIpv4(pipeline, i)) return false;
  const protocol = batch.protocol[i]!;
  if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6) return false;
  return (view.getUint8(batch.offset[i]!) & 1) === 0 && pipeline.icmpLimit.take(pipeline.now);
}

/** Everything but the addresses, which are in place. */
function writeIpv4Header(view: DataView, network: number, payloadBytes: number, protocol: number): void {
  view.setUint16(network, 0x4500);
  view.setUint16(network + 2, IPV4_HEADER_BYTES + payloadBytes);
  view.setUint32(network + 4, 0);
  view.setUint8(network + 8, OWN_TTL);
  view.setUint8(network + 9, protocol);
  view.setUint16(network + IPV4_CHECKSUM, 0);
  view.setUint16(network + IPV4_CHECKSUM, ~sumBytes(view, network, IPV4_HEADER_BYTES) & 0xffff, true);
}

function writeIpv6Header(view: DataView, network: number, payloadBytes: number, protocol: number): void {
  view.setUint32(network, 0x60000000);
  view.setUint16(network + IPV6_PAYLOAD_LENGTH, payloadBytes);
  view.setUint8(network + IPV6_NEXT_HEADER, protocol);
  view.setUint8(network + IPV6_HOP_LIMIT, OWN_TTL);
}

/** The frame stays counted as dropped, with its reason; what goes back is an answer. */
function sendBack(pipeline: Pipeline, i: number, end: number): void {
  const { batch, view, ports, neighbors } = pipeline;
  const offset = batch.offset[i]!;
  const port = batch.port[i]!;
  batch.length[i] = end - offset;
  if (ports.kind(port) === PORT_STACK) {
    // Into the node's own stack, which takes frames for its end of the pair only.
    const neighbor = neighbors.find(STACK_NEIGHBOR, 0, port);
    const ethernet = neighbors.ethernetWords(Math.max(neighbor, 0));
    view.setInt32(offset, neighbors.words[ethernet]!, true);
    view.setUint16(offset + 4, neighbors.words[ethernet + 1]! & 0xffff, true);
  } else {
    view.setInt32(offset, view.getInt32(offset + 6, true), true);
    view.setUint16(offset + 4, view.getUint16(offset + 10, true), true);
  }
  view.setInt32(offset + 6, ports.macFirst(port), true);
  view.setUint16(offset + 10, ports.macLast(port), true);
  batch.egress[i] = port;
  batch.verdict[i] = Verdict.Reply;
}

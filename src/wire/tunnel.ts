/**
 * Tunnels that carry a client's packet to the node of its backend.
 *
 *   IPIP     outer IP, protocol 4 or 41 | inner IP                                       (RFC 2003, RFC 2473)
 *   GUE      outer IP | UDP | inner IP                                                   (variant 1)
 *            outer IP | UDP | 00vC hlen, protocol, flags(2) | 4 * hlen bytes | inner IP  (variant 0, taken only)
 *   Geneve   outer IP | UDP | header(8) | options | inner Ethernet | inner IP            (RFC 8926)
 *
 * Geneve carries the address and port that the client asked for in Cilium's option:
 *
 *   class 014b   type 81   length in words   address(4 or 16) port(2) 00 00
 */
import { fold, sumBytes } from "./checksum.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_HEADER_BYTES, IPV4_SOURCE, PROTOCOL_TCP, PROTOCOL_UDP } from "./ipv4.ts";
import { IPV6_DESTINATION, IPV6_HEADER_BYTES, IPV6_SOURCE } from "./ipv6.ts";
import { pseudoHeaderSum } from "./pseudo-header.ts";
import { ADDRESS_WORDS } from "./raw.ts";
import { TCP_CHECKSUM, UDP_CHECKSUM, UDP_HEADER_BYTES, UDP_LENGTH } from "./transport.ts";

export const PROTOCOL_IPIP = 4;
export const PROTOCOL_IPV6 = 41;

export const GENEVE_HEADER_BYTES = 8;
export const GENEVE_OPTION4_BYTES = 12;
export const GENEVE_OPTION6_BYTES = 24;
/** Class, and type without its critical bit. */
export const GENEVE_DSR_OPTION = 0x014b01;
export const GENEVE_CRITICAL = 0x80;
/** Ethernet inside (RFC 8926 §3.4). */
export const GENEVE_ETHERNET = 0x6558;

/** TTL of outer headers. */
const OUTER_TTL = 64;
const RAW_DONT_FRAGMENT = 0x4000;

/** IP version at an offset: 4, 6, or what else stands there. */
export function ipVersion(view: DataView, packet: number): number {
  return view.getUint8(packet) >>> 4;
}

export function trafficClass(view: DataView, packet: number): number {
  return ipVersion(view, packet) === 4 ? view.getUint8(packet + 1) : (view.getUint16(packet) >>> 4) & 0xff;
}

/**
 * Don't Fragment always: a datagram that is never fragmented needs no identification of its own (RFC 6864 §4.1).
 * Addresses are raw words of tables.
 */
export function writeOuterIpv4(
  view: DataView,
  at: number,
  payloadBytes: number,
  protocol: number,
  tos: number,
  source: number,
  destination: number,
): void {
  view.setUint16(at, 0x4500 | tos);
  view.setUint16(at + 2, IPV4_HEADER_BYTES + payloadBytes);
  view.setUint32(at + 4, RAW_DONT_FRAGMENT);
  view.setUint16(at + 8, (OUTER_TTL << 8) | protocol);
  view.setUint16(at + IPV4_CHECKSUM, 0);
  view.setInt32(at + IPV4_SOURCE, source, true);
  view.setInt32(at + IPV4_DESTINATION, destination, true);
  view.setUint16(at + IPV4_CHECKSUM, ~sumBytes(view, at, IPV4_HEADER_BYTES) & 0xffff, true);
}

/** Addresses follow by `writeIpv6Address`. @param flowLabel tells flows apart on the way (RFC 6438), 20 bits. */
export function writeOuterIpv6(
  view: DataView,
  at: number,
  payloadBytes: number,
  nextHeader: number,
  tos: number,
  flowLabel: number,
): void {
  view.setUint32(at, ((6 << 28) | (tos << 20) | flowLabel) >>> 0);
  view.setUint16(at + 4, payloadBytes);
  view.setUint16(at + 6, (nextHeader << 8) | OUTER_TTL);
}

export function writeOuterAddresses6(
  view: DataView,
  at: number,
  sources: Int32Array,
  source: number,
  destinations: Int32Array,
  destination: number,
): void {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    view.setInt32(at + IPV6_SOURCE + 4 * word, sources[source + word]!, true);
    view.setInt32(at + IPV6_DESTINATION + 4 * word, destinations[destination + word]!, true);
  }
}

/** The checksum is zero, as a tunnel over IPv4 may have it (RFC 768, RFC 8926 §3.3). Ports are raw. */
export function writeUdp(view: DataView, at: number, sourcePort: number, port: number, bytes: number): void {
  view.setUint16(at, sourcePort);
  view.setUint16(at + 2, port, true);
  view.setUint16(at + UDP_LENGTH, bytes);
  view.setUint16(at + UDP_CHECKSUM, 0);
}

/**
 * Gives a UDP datagram over IPv6, where zero is not taken by every receiver (RFC 6935), its checksum. A packet inside
 * whose own TCP or UDP checksum holds adds up to what its pseudo-header lacks, so it need not be read; where it doesn't
 * hold, neither does the outer one.
 * @param inner offset of the packet inside, @param end past its last byte, @param transport of its transport header.
 */
export function sealUdp6(
  view: DataView,
  outer: number,
  udp: number,
  inner: number,
  transport: number,
  protocol: number,
  end: number,
): void {
  const pseudo = pseudoHeaderSum(view, false, outer, PROTOCOL_UDP, end - udp);
  const headers = sumBytes(view, udp, inner - udp) + sumBytes(view, inner, transport - inner);
  const sum = fold(pseudo + headers + transportSum(view, inner, transport, protocol, end));
  view.setUint16(udp + UDP_CHECKSUM, ~sum & 0xffff || 0xffff, true);
}

function transportSum(view: DataView, inner: number, transport: number, protocol: number, end: number): number {
  const bytes = end - transport;
  const field = protocol === PROTOCOL_TCP ? TCP_CHECKSUM : protocol === PROTOCOL_UDP ? UDP_CHECKSUM : -1;
  // A datagram may be followed by bytes that its length leaves out (RFC 768 has no rule against it).
  const covered = field === UDP_CHECKSUM ? view.getUint16(transport + UDP_LENGTH) === bytes : field > 0;
  if (!covered || view.getUint16(transport + field) === 0) return sumBytes(view, transport, bytes);
  return ~pseudoHeaderSum(view, ipVersion(view, inner) === 4, inner, protocol, bytes) & 0xffff;
}

/** @param optionBytes of all options together. The C bit is clear, as Cilium has it: receivers go by the option's type. */
export function writeGeneve(view: DataView, at: number, optionBytes: number, vni: number): void {
  view.setUint16(at, (optionBytes >>> 2) << 8);
  view.setUint16(at + 2, GENEVE_ETHERNET);
  view.setUint32(at + 4, (vni << 8) >>> 0);
}

/** Words of the served address lie in `address` from `at`; an IPv4 one is the last of four. */
export function writeGeneveOption(
  view: DataView,
  option: number,
  optionBytes: number,
  address: Int32Array,
  at: number,
  port: number,
): void {
  const addressBytes = optionBytes - 8;
  view.setUint32(option, ((GENEVE_DSR_OPTION | GENEVE_CRITICAL) << 8) | ((optionBytes - 4) >>> 2));
  const first = ADDRESS_WORDS - addressBytes / 4;
  for (let word = first; word < ADDRESS_WORDS; word++) {
    view.setInt32(option + 4 + 4 * (word - first), address[at + word]!, true);
  }
  view.setUint16(option + 4 + addressBytes, port, true);
  view.setUint16(option + 6 + addressBytes, 0);
}

/** Where the packet inside a GUE datagram begins; -1 when there is none. @param gue offset behind the UDP header. */
export function openGue(view: DataView, gue: number, end: number): number {
  if (gue + 4 > end) return -1;
  const first = view.getUint8(gue);
  // Variant 1: what follows are the first bits of an IP version.
  if (first >>> 6 === 1) return gue;
  // Variant 0 without the control bit.
  if (first >>> 5 !== 0) return -1;
  const protocol = view.getUint8(gue + 1);
  return protocol === PROTOCOL_IPIP || protocol === PROTOCOL_IPV6 ? gue + 4 + ((first & 0x1f) << 2) : -1;
}

/** Past the UDP header of what ends here. */
export function udpPayload(udp: number): number {
  return udp + UDP_HEADER_BYTES;
}

/** Bytes of an outer IP header. */
export function outerHeaderBytes(isIpv4: boolean): number {
  return isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
}

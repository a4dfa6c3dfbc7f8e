/**
 * Cilium's DSR information inside the request itself: the address and port that the client asked for, so that the
 * backend's node can answer in their name.
 *
 *   IPv4   an option, the first one (RFC 791 §3.1):        9a 08 port(2) address(4)
 *   IPv6   a Destination Options header (RFC 8200 §4.6):   next 02 1b 14 address(16) port(2) 00 00
 *
 * Cilium writes the IPv4 option in the byte order of its CPU, which is little-endian wherever it runs; the IPv6 one is
 * in network order. `network` says which of the two an IPv4 option is in. Addresses and ports are raw words (raw.ts).
 */

import { sumBytes } from "./checksum.ts";
import { IPV4_CHECKSUM, IPV4_HEADER_BYTES } from "./ipv4.ts";
import { DESTINATION_OPTIONS, IPV6_HEADER_BYTES, IPV6_NEXT_HEADER, IPV6_PAYLOAD_LENGTH } from "./ipv6.ts";
import { ADDRESS_WORDS, storeMapped } from "./raw.ts";

export const DSR_OPTION4_BYTES = 8;
export const DSR_OPTION6_BYTES = 24;
/** As long as an IPv4 header can be. */
export const MAX_IPV4_HEADER_BYTES = 60;

/** Copied into every fragment, class 0, number 26; and its length. */
const OPTION4 = 0x9a08;
/** Length in units of 8 bytes behind the first, type, option length. */
const OPTION6_LENGTH = 2;
const OPTION6 = 0x1b14;

/** Whether a packet carries DSR information; its headers have been checked. */
export function carriesDsrOption(view: DataView, isIpv4: boolean, network: number, transport: number): boolean {
  if (isIpv4) {
    const option = network + IPV4_HEADER_BYTES;
    return transport - option >= DSR_OPTION4_BYTES && view.getUint16(option) === OPTION4;
  }
  const header = network + IPV6_HEADER_BYTES;
  return (
    view.getUint8(network + IPV6_NEXT_HEADER) === DESTINATION_OPTIONS &&
    view.getUint8(header + 1) === OPTION6_LENGTH &&
    view.getUint16(header + 2) === OPTION6
  );
}

/** The served address of a packet that carries it, as four words. @returns the port, 0..65535. */
export function readDsrOption(
  view: DataView,
  isIpv4: boolean,
  packet: number,
  into: Int32Array,
  at: number,
  network: boolean,
): number {
  if (isIpv4) {
    const option = packet + IPV4_HEADER_BYTES;
    storeMapped(into, at, view.getInt32(option + 4, network));
    return view.getUint16(option + 2, network);
  }
  const header = packet + IPV6_HEADER_BYTES;
  for (let word = 0; word < ADDRESS_WORDS; word++) into[at + word] = view.getInt32(header + 4 + 4 * word, true);
  return view.getUint16(header + 20, true);
}

/** Fills in an option of an IPv4 packet whose header has 8 bytes of room behind its fixed part, and lengthens it. */
export function addDsrOption4(view: DataView, packet: number, address: number, port: number, network: boolean): void {
  const option = packet + IPV4_HEADER_BYTES;
  view.setUint16(option, OPTION4);
  view.setUint16(option + 2, port, network);
  view.setInt32(option + 4, address, network);
  resizeIpv4Header(view, packet, DSR_OPTION4_BYTES);
}

/** Fills in the header behind that of an IPv6 packet, where 24 bytes are free. */
export function addDsrOption6(view: DataView, packet: number, address: Int32Array, at: number, port: number): void {
  const header = packet + IPV6_HEADER_BYTES;
  view.setUint8(header, view.getUint8(packet + IPV6_NEXT_HEADER));
  view.setUint8(header + 1, OPTION6_LENGTH);
  view.setUint16(header + 2, OPTION6);
  for (let word = 0; word < ADDRESS_WORDS; word++) view.setInt32(header + 4 + 4 * word, address[at + word]!, true);
  view.setUint16(header + 20, port, true);
  view.setUint16(header + 22, 0);
  view.setUint8(packet + IPV6_NEXT_HEADER, DESTINATION_OPTIONS);
  view.setUint16(packet + IPV6_PAYLOAD_LENGTH, view.getUint16(packet + IPV6_PAYLOAD_LENGTH) + DSR_OPTION6_BYTES);
}

/** After the fixed part of an IPv4 header has moved over its option: shortens the header by it. */
export function dropDsrOption4(view: DataView, packet: number): void {
  resizeIpv4Header(view, packet, -DSR_OPTION4_BYTES);
}

/** Before the header of an IPv6 packet moves over its option: takes the option out of the chain. */
export function dropDsrOption6(view: DataView, packet: number): void {
  view.setUint8(packet + IPV6_NEXT_HEADER, view.getUint8(packet + IPV6_HEADER_BYTES));
  view.setUint16(packet + IPV6_PAYLOAD_LENGTH, view.getUint16(packet + IPV6_PAYLOAD_LENGTH) - DSR_OPTION6_BYTES);
}

function resizeIpv4Header(view: DataView, packet: number, byBytes: number): void {
  const headerBytes = ((view.getUint8(packet) & 0x0f) << 2) + byBytes;
  view.setUint8(packet, 0x40 | (headerBytes >>> 2));
  view.setUint16(packet + 2, view.getUint16(packet + 2) + byBytes);
  view.setUint16(packet + IPV4_CHECKSUM, 0);
  view.setUint16(packet + IPV4_CHECKSUM, ~sumBytes(view, packet, headerBytes) & 0xffff, true);
}

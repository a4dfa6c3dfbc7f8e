/**
 * IPv6 (RFC 8200 §3), offsets from the first byte of the header:
 *
 *   0 version|class|flow label   4 payload length   6 next header   7 hop limit   8 source   24 destination   40
 *
 * Extension headers (§4) follow each other by their next-header fields; the walk over them is bounded.
 */

export const IPV6_HEADER_BYTES = 40;
export const IPV6_PAYLOAD_LENGTH = 4;
export const IPV6_NEXT_HEADER = 6;
export const IPV6_HOP_LIMIT = 7;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;

export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const NO_NEXT_HEADER = 59;
export const DESTINATION_OPTIONS = 60;
export const PROTOCOL_ICMPV6 = 58;

/** As many extension headers as any sane sender uses; Linux's own flow dissector stops at 8. */
const MAX_EXTENSION_HEADERS = 8;

/** What `walkExtensions` answers instead of an offset. */
export const EXTENSION_TRUNCATED = -1;
export const EXTENSION_FRAGMENT = -2;
export const EXTENSION_TOO_MANY = -3;

/**
 * Offset of the transport header, past hop-by-hop, routing and destination options; its protocol is the byte before it
 * in the chain, which `protocolAt` tells: the walk leaves it in `protocol.value`, a caller-owned cell.
 * A fragment header ends the walk with EXTENSION_FRAGMENT unless the fragment is the whole packet (RFC 6946).
 *
 * @param end offset past the packet's last byte.
 */
export function walkExtensions(view: DataView, header: number, end: number, protocol: Int32Array): number {
  let next = view.getUint8(header + IPV6_NEXT_HEADER);
  let at = header + IPV6_HEADER_BYTES;
  for (let walked = 0; walked <= MAX_EXTENSION_HEADERS; walked++) {
    if (next === FRAGMENT) {
      if (at + 8 > end) return EXTENSION_TRUNCATED;
      if ((view.getUint16(at + 2) & 0xfff9) !== 0) return EXTENSION_FRAGMENT;
      next = view.getUint8(at);
      at += 8;
    } else if (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS) {
      if (at + 8 > end) return EXTENSION_TRUNCATED;
      next = view.getUint8(at);
      at += (view.getUint8(at + 1) + 1) * 8;
      if (at > end) return EXTENSION_TRUNCATED;
    } else {
      protocol[0] = next;
      return at;
    }
  }
  return EXTENSION_TOO_MANY;
}

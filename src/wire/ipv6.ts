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
export const DESTINATION_OPTIONS = 60;
export const PROTOCOL_ICMPV6 = 58;

/** As many extension headers as any sane sender uses; Linux's own flow dissector stops at 8. */
const MAX_EXTENSION_HEADERS = 8;

/** What `walkExtensions` answers instead of an offset. */
const EXTENSION_TRUNCATED = -1;
export const EXTENSION_LATER_FRAGMENT = -2;
const EXTENSION_TOO_MANY = -3;

/** Words that `walkExtensions` leaves its findings in: the transport protocol, */
export const FOUND_PROTOCOL = 0;
/** and the offset of the fragment header, -1 when there is none or the "fragment" is the whole packet (RFC 6946). */
export const FOUND_FRAGMENT = 1;

/**
 * Offset of the transport header, past hop-by-hop, routing, destination options and the fragment header of a first
 * fragment. A later fragment has none: EXTENSION_LATER_FRAGMENT, with what is found up to there.
 *
 * @param end offset past the packet's last byte.
 * @param found two words of the caller's.
 */
export function walkExtensions(view: DataView, header: number, end: number, found: Int32Array): number {
  let next = view.getUint8(header + IPV6_NEXT_HEADER);
  let at = header + IPV6_HEADER_BYTES;
  found[FOUND_FRAGMENT] = -1;
  for (let walked = 0; walked <= MAX_EXTENSION_HEADERS; walked++) {
    found[FOUND_PROTOCOL] = next;
    if (next === FRAGMENT) {
      if (at + 8 > end) return EXTENSION_TRUNCATED;
      const offsetAndMore = view.getUint16(at + 2);
      next = view.getUint8(at);
      if ((offsetAndMore & 0xfff9) !== 0) found[FOUND_FRAGMENT] = at;
      if ((offsetAndMore & 0xfff8) !== 0) {
        found[FOUND_PROTOCOL] = next;
        return EXTENSION_LATER_FRAGMENT;
      }
      at += 8;
    } else if (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS) {
      if (at + 8 > end) return EXTENSION_TRUNCATED;
      next = view.getUint8(at);
      at += (view.getUint8(at + 1) + 1) * 8;
      if (at > end) return EXTENSION_TRUNCATED;
    } else {
      return at;
    }
  }
  return EXTENSION_TOO_MANY;
}

/**
 * IPv4 (RFC 791 §3.1), offsets from the first byte of the header:
 *
 *   0 version|IHL   1 TOS   2 total length   4 identification   6 flags|fragment offset
 *   8 TTL           9 protocol   10 header checksum   12 source   16 destination   20 options
 */

export const IPV4_HEADER_BYTES = 20;

export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_TTL = 8;
export const IPV4_CHECKSUM = 10;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_SCTP = 132;

/** More Fragments and the fragment offset in the raw half-word at offset 6: non-zero for every fragment. */
export const RAW_FRAGMENT_MASK = 0xff3f;
/** The fragment offset alone: non-zero for every fragment but the first. */
export const RAW_FRAGMENT_OFFSET = 0xff1f;

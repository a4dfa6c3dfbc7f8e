/**
 * ICMP for IPv4 (RFC 792) and IPv6 (RFC 4443), and the Neighbor Discovery messages that we answer (RFC 4861).
 *
 *   0 type   1 code   2 checksum   4 what the type says   8 (errors) the packet that is complained about
 */

export const ICMP_HEADER_BYTES = 8;
export const ICMP_CHECKSUM = 2;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

/** Codes of ICMP_UNREACHABLE. */
export const ICMP_NET_UNREACHABLE = 0;
export const ICMP_HOST_UNREACHABLE = 1;
export const ICMP_PORT_UNREACHABLE = 3;
export const ICMP_FRAGMENTATION_NEEDED = 4;

export const ICMP6_UNREACHABLE = 1;
export const ICMP6_PACKET_TOO_BIG = 2;
export const ICMP6_TIME_EXCEEDED = 3;
export const ICMP6_PARAMETER_PROBLEM = 4;
export const ICMP6_ECHO_REQUEST = 128;
export const ICMP6_ECHO_REPLY = 129;
export const NEIGHBOR_SOLICITATION = 135;
export const NEIGHBOR_ADVERTISEMENT = 136;

/** Codes of ICMP6_UNREACHABLE. */
export const ICMP6_NO_ROUTE = 0;
export const ICMP6_ADDRESS_UNREACHABLE = 3;
export const ICMP6_PORT_UNREACHABLE = 4;

/** Neighbor Solicitation and Advertisement: header, target address, options. */
export const NDP_TARGET = 8;
export const NDP_OPTIONS = 24;
/** Flags of an advertisement (RFC 4861 §4.4): an answer has both, an unsolicited one Override alone. */
export const NDP_OVERRIDE = 0x20000000;
export const NDP_SOLICITED_OVERRIDE = 0x60000000;
export const NDP_SOURCE_LINK_ADDRESS = 1;
export const NDP_TARGET_LINK_ADDRESS = 2;
export const NDP_HOP_LIMIT = 255;

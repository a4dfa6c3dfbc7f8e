/** ICMP for IPv4 (RFC 792): type, code, checksum, then what the type says. */

export const ICMP_HEADER_BYTES = 8;
export const ICMP_CHECKSUM = 2;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_ECHO_REQUEST = 8;

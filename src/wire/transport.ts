/**
 * What the datapath reads of TCP (RFC 9293 §3.1), UDP (RFC 768) and SCTP (RFC 9260 §3.1). All three begin with source
 * and destination port, two bytes each.
 */

export const TCP_HEADER_BYTES = 20;
export const TCP_DATA_OFFSET = 12;
export const TCP_FLAGS = 13;
export const TCP_CHECKSUM = 16;

export const UDP_HEADER_BYTES = 8;
export const UDP_LENGTH = 4;
export const UDP_CHECKSUM = 6;

export const SCTP_HEADER_BYTES = 12;
export const SCTP_CHECKSUM = 8;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/**
 * Flag combinations that some TCP sends on purpose; all others come from scanners and broken hosts. PSH, ECE and CWR may
 * accompany any of them and are masked out. The index is `flags & 0x37` (URG, ACK, RST, SYN, FIN).
 */
const VALID_FLAGS = new Uint8Array(64);
for (const flags of [
  SYN,
  SYN | URG,
  SYN | ACK,
  RST,
  RST | ACK,
  RST | ACK | URG,
  FIN | ACK,
  FIN | ACK | URG,
  ACK,
  ACK | URG,
]) {
  VALID_FLAGS[flags] = 1;
}

export function tcpFlagsValid(flags: number): boolean {
  return VALID_FLAGS[flags & (FIN | SYN | RST | ACK | URG)] === 1;
}

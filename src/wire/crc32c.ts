/** CRC32c (Castagnoli), the checksum of SCTP: RFC 9260 appendix A. Reflected, polynomial 0x1edc6f41. */

const TABLE = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  TABLE[byte] = crc;
}

/**
 * The CRC32c of `length` bytes with the four bytes at `zeroAt` taken as zero (SCTP's own checksum field).
 * Stored little-endian in the packet.
 */
export function crc32c(view: DataView, offset: number, length: number, zeroAt: number): number {
  let crc = -1;
  const end = offset + length;
  for (let at = offset; at < end; at++) {
    const byte = at - zeroAt < 4 && at >= zeroAt ? 0 : view.getUint8(at);
    crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  }
  return ~crc;
}

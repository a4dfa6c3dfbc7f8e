/**
 * CRC32c (Castagnoli), the checksum of SCTP: RFC 9260 appendix A. Reflected, polynomial 0x1edc6f41.
 *
 * It is linear: what a change of some bytes does to the CRC depends on the change and on how many bytes follow, not on
 * these. So a NAT that rewrites ports updates the checksum without reading the packet, and one that was wrong stays wrong:
 * computing it anew would vouch for bytes that broke on the way.
 */

const POLYNOMIAL = 0x82f63b78;
/** A packet has fewer than 2^16 bytes. */
const LENGTH_BITS = 16;

/** By bit n: the CRC register after a 1 in its top bit has been shifted through 2^n zero bytes. */
const ZERO_BYTES = new Int32Array(new ArrayBuffer(LENGTH_BITS * 4));
/** As a polynomial with its highest power in the lowest bit: x^8, squared again and again. */
ZERO_BYTES[0] = 1 << (31 - 8);
for (let bit = 1; bit < LENGTH_BITS; bit++) ZERO_BYTES[bit] = multiply(ZERO_BYTES[bit - 1]!, ZERO_BYTES[bit - 1]!);

/**
 * The checksum, as loaded little-endian, of a packet whose first four bytes change.
 * @param checksum as it was. @param from raw word before, @param to raw word after. @param length of the packet, bytes.
 */
export function updateCrc32c(checksum: number, from: number, to: number, length: number): number {
  let change = from ^ to;
  // The change itself has passed through the register when its four bytes have; then the rest of the packet follows.
  for (let bit = 0, bytes = length; bytes !== 0; bit++, bytes >>>= 1) {
    if ((bytes & 1) !== 0) change = multiply(change, ZERO_BYTES[bit]!);
  }
  return checksum ^ change;
}

/** The product of two polynomials modulo the CRC's. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 32; bit++) {
    if ((a & (1 << (31 - bit))) !== 0) product ^= b;
    b = (b & 1) !== 0 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return product;
}

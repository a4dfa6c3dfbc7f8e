/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
 *
 * A *delta* is the folded ones' complement sum of `~old + new` over the 16-bit words that change. Adding it to the
 * complement of a checksum gives the complement of the new one: HC' = ~(~HC + ~m + m'), RFC 1624 eqn. 3. Deltas add up,
 * so the one of a whole translation is computed when the flow opens and applied to each frame by one addition.
 * Words are raw (see raw.ts): the sum of byte-swapped words is the byte-swapped sum.
 */

/** Folds a sum of 16-bit words (at most 2^31-1) to 16 bits. */
export function fold(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** The delta of one raw 32-bit word that changes from `from` to `to`. */
export function delta32(from: number, to: number): number {
  return fold((~from & 0xffff) + ((~from >>> 16) & 0xffff) + (to & 0xffff) + (to >>> 16));
}

/** The delta of the TTL byte falling by one: as a raw word, `ttl | protocol << 8` falls by one. */
export const TTL_DECREMENT_DELTA = 0xfffe;

/** A raw checksum after a delta. */
export function applyDelta(checksum: number, delta: number): number {
  return ~fold((~checksum & 0xffff) + delta) & 0xffff;
}

/** Raw ones' complement sum of `length` bytes, not complemented; an odd last byte is padded with zero. */
export function sumBytes(view: DataView, offset: number, length: number): number {
  const end = offset + length;
  const even = end - 1;
  let sum = 0;
  let at = offset;
  for (; at < even; at += 2) sum += view.getUint16(at, true);
  if (at < end) sum += view.getUint8(at);
  // 65,535 bytes of 0xff sum to less than 2^31: one fold at the end is enough.
  return fold(sum);
}

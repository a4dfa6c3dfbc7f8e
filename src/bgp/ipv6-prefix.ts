/**
 * IPv6 addresses and prefixes as BGP carries them: 16 octets in network order.
 *
 * IPv6 routes are few beside IPv4 ones at a gateway, so they stay octets and text; only IPv4 has a numeric key.
 */
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";

/** A prefix whose host bits are zero; `bytes` has 16 octets, `length` is 0..128 bits. */
export interface Ipv6Prefix {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Sixteen octets of `2001:db8::1` or `::ffff:10.0.0.1`; `null` for anything else, a zone included. */
export function parseIpv6(text: string): Uint8Array | null {
  const address = parseIpAddress(text);
  if (address === null || address.family !== 6) return null;
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, address.value >> 64n);
  view.setBigUint64(8, BigInt.asUintN(64, address.value));
  return new Uint8Array(view.buffer);
}

/** Text of the 16 octets at `at`. */
export function formatIpv6(bytes: Uint8Array, at = 0): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
  return formatIpAddress({ family: 6, value: (view.getBigUint64(0) << 64n) | view.getBigUint64(8) });
}

/** Reads `address/length`; host bits are cleared, a bare address is a /128. */
export function parseIpv6Prefix(text: string): Ipv6Prefix | null {
  const slash = text.indexOf("/");
  const bytes = parseIpv6(slash < 0 ? text : text.slice(0, slash));
  if (bytes === null) return null;
  if (slash < 0) return { bytes, length: 128 };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > 128) return null;
  const length = Number(digits);
  clearHostBits(bytes, length);
  return { bytes, length };
}

export function formatIpv6Prefix(prefix: Ipv6Prefix): string {
  return `${formatIpv6(prefix.bytes)}/${prefix.length}`;
}

export function clearHostBits(bytes: Uint8Array, length: number): void {
  for (let i = length >>> 3; i < bytes.length; i++) {
    const kept = Math.max(0, length - 8 * i);
    bytes[i] = bytes[i]! & (0xff00 >>> kept);
  }
}

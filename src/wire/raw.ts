/**
 * Raw words: header fields exactly as they lie on the wire, loaded little-endian.
 *
 * Tables that the hot path and the kernel's BPF programs share keep addresses and ports in this form, so that a lookup
 * compares what it loaded and never swaps bytes. Everything else in Sluice is in host order; these two functions are
 * the border. Sums in ones' complement do not mind the byte order (RFC 1071 §2), so checksum deltas stay raw too.
 */
import type { Ipv4 } from "../net/ipv4.ts";

/** Host order to raw: the 32-bit word that a little-endian load of the address on the wire gives. Signed. */
export function rawAddress(address: Ipv4): number {
  return swap32(address);
}

/** Raw to host order. */
export function addressFromRaw(raw: number): Ipv4 {
  return (swap32(raw) >>> 0) as Ipv4;
}

/** Source and destination port as one raw word: source first on the wire, so in the low half. Signed. */
export function rawPorts(source: number, destination: number): number {
  return swap16(source) | (swap16(destination) << 16);
}

export function sourcePortFromRaw(ports: number): number {
  return swap16(ports & 0xffff);
}

export function destinationPortFromRaw(ports: number): number {
  return swap16(ports >>> 16);
}

export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

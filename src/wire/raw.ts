/**
 * Raw words: header fields exactly as they lie on the wire, loaded little-endian.
 *
 * Tables that the hot path and the kernel's BPF programs share keep addresses and ports in this form, so that a lookup
 * compares what it loaded and never swaps bytes. Everything else in Sluice is in host order; these functions are the
 * border. Sums in ones' complement do not mind the byte order (RFC 1071 §2), so checksum deltas stay raw too.
 *
 * Where both families meet in one table, an address is four raw words; an IPv4 address then is IPv4-mapped (RFC 4291
 * §2.5.5.2): 0, 0, `MAPPED`, the address.
 */
import { type IpAddress, toIpv4 } from "../net/ip-address.ts";
import type { Ipv4 } from "../net/ipv4.ts";

/** Third word of an IPv4-mapped address: the bytes 00 00 ff ff. */
const MAPPED = 0xffff0000 | 0;

/** Words of an address in a table that holds both families. */
export const ADDRESS_WORDS = 4;

/** Host order to raw: the 32-bit word that a little-endian load of the address on the wire gives. Signed. */
export function rawAddress(address: Ipv4): number {
  return swap32(address);
}

/** Raw to host order. */
function addressFromRaw(raw: number): Ipv4 {
  return (swap32(raw) >>> 0) as Ipv4;
}

/** Writes an address as four raw words. */
export function storeAddress(into: Int32Array, at: number, address: IpAddress): void {
  const ipv4 = toIpv4(address);
  if (ipv4 !== null) {
    storeMapped(into, at, rawAddress(ipv4));
    return;
  }
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    into[at + word] = swap32(Number((address.value >> BigInt(96 - 32 * word)) & 0xffffffffn));
  }
}

/** Writes a raw IPv4 address as four words. */
export function storeMapped(into: Int32Array, at: number, raw: number): void {
  into[at] = 0;
  into[at + 1] = 0;
  into[at + 2] = MAPPED;
  into[at + 3] = raw;
}

export function copyAddress(into: Int32Array, at: number, from: Int32Array, fromAt: number): void {
  into[at] = from[fromAt]!;
  into[at + 1] = from[fromAt + 1]!;
  into[at + 2] = from[fromAt + 2]!;
  into[at + 3] = from[fromAt + 3]!;
}

export function sameAddress(a: Int32Array, at: number, b: Int32Array, bAt: number): boolean {
  return a[at + 3] === b[bAt + 3] && a[at + 2] === b[bAt + 2] && a[at + 1] === b[bAt + 1] && a[at] === b[bAt];
}

export function isMapped(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === MAPPED;
}

/** Four raw words to an address of its family. */
export function loadAddress(words: Int32Array, at: number): IpAddress {
  if (isMapped(words, at)) return { family: 4, value: BigInt(addressFromRaw(words[at + 3]!)) };
  let value = 0n;
  for (let word = 0; word < ADDRESS_WORDS; word++) value = (value << 32n) | BigInt(swap32(words[at + word]!) >>> 0);
  return { family: 6, value };
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

/** The ports of the other direction. */
export function swapPorts(ports: number): number {
  return (ports >>> 16) | (ports << 16);
}

export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

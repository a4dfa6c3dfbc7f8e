/**
 * IPv6 addresses and prefixes as BGP carries them: 16 octets, text as RFC 5952 writes it.
 *
 * IPv6 routes are few beside IPv4 ones at a gateway, so they stay octets and text; only IPv4 has a numeric key.
 */
import { formatIpv4, ipv4FromNumber, parseIpv4 } from "../net/ipv4.ts";
import { readU16, readU32 } from "./octets.ts";

/** A prefix whose host bits are zero; `bytes` has 16 octets, `length` is 0..128 bits. */
export interface Ipv6Prefix {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Sixteen octets of `2001:db8::1` or `::ffff:10.0.0.1`; `null` for anything else, a zone included. */
export function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!);
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    bytes[2 * i] = group >>> 8;
    bytes[2 * i + 1] = group;
  });
  return bytes;
}

function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === null) return null;
      groups.push(ipv4 >>> 16, ipv4 & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** Text of the 16 octets at `at`. */
export function formatIpv6(bytes: Uint8Array, at = 0): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(readU16(bytes, at + 2 * i));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIpv4(ipv4FromNumber(readU32(bytes, at + 12)))}`;
  }
  // RFC 5952 §4.2: the longest run of at least two zero groups is shortened, the first one when two are equal.
  let start = -1;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > longest) {
      start = i;
      longest = end - i;
    }
    if (end > i) i = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + longest).join(":")}`;
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

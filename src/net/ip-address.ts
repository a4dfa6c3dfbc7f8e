/**
 * IP addresses of both families, for the parts that decide (pools, policies) rather than forward.
 *
 * The value is a bigint in host order, so that ranges and gaps are plain arithmetic in a /8 and in a v6 /64 alike. The
 * packet path never sees this type; it uses `Ipv4`.
 */
import { formatIpv4, type Ipv4, ipv4FromNumber, parseIpv4 } from "./ipv4.ts";

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  /** Unsigned, 32 or 128 bits. */
  readonly value: bigint;
}

export function addressBits(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

/** Reads dotted-quad or RFC 4291 text (no zone); `null` when it is neither. */
export function parseIpAddress(text: string): IpAddress | null {
  if (!text.includes(":")) {
    const address = parseIpv4(text);
    return address === null ? null : { family: 4, value: BigInt(address) };
  }
  const value = parseIpv6Value(text);
  return value === null ? null : { family: 6, value };
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatIpAddress(address: IpAddress): string {
  return address.family === 4 ? formatIpv4(ipv4FromNumber(Number(address.value))) : formatIpv6Value(address.value);
}

/** A prefix as written: host bits may be set. */
export interface IpPrefix {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Reads `address/length`; a bare address is a prefix of its own. `null` when it is neither. */
export function parseIpPrefix(text: string): IpPrefix | null {
  const slash = text.indexOf("/");
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = addressBits(address.family);
  if (slash < 0) return { address, prefixLength: bits };
  const digits = text.slice(slash + 1);
  const prefixLength = Number(digits);
  return /^\d{1,3}$/.test(digits) && prefixLength <= bits ? { address, prefixLength } : null;
}

/** The address as the datapath knows it; `null` for IPv6. */
export function toIpv4(address: IpAddress): Ipv4 | null {
  return address.family === 4 ? ipv4FromNumber(Number(address.value)) : null;
}

/** IPv4 before IPv6, then by value. */
export function compareIpAddress(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

function parseIpv6Value(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 4291 §2.2).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** 16-bit groups; the last one of the address may be a dotted quad. */
function parseGroups(text: string, endsAddress: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const quad = endsAddress && index === parts.length - 1 ? parseIpv4(part) : null;
    if (quad !== null) groups.push(quad >>> 16, quad & 0xffff);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

function formatIpv6Value(value: bigint): string {
  // RFC 5952 §5: an IPv4-mapped address is written with its dotted quad.
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(ipv4FromNumber(Number(value & 0xffffffffn)))}`;
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  // RFC 5952 §4.2: the longest run of two or more zero groups is shortened, the first one of equals.
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(":");
  return `${hex.slice(0, runStart).join(":")}::${hex.slice(runStart + runLength).join(":")}`;
}

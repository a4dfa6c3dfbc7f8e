/**
 * IPv4 addresses and prefixes.
 *
 * An `Ipv4` is an unsigned 32-bit number in host order (10.0.0.1 is 0x0a000001); a value of this type was parsed and is
 * valid. Network order exists only inside `wire/`.
 */

declare const brand: unique symbol;

/** A valid IPv4 address as an unsigned 32-bit number in host order. */
export type Ipv4 = number & { readonly [brand]: "Ipv4" };

/** A prefix whose host bits are zero; `length` is 0..32 bits. */
export interface Ipv4Prefix {
  readonly address: Ipv4;
  readonly length: number;
}

const DOTTED_QUAD = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Reads dotted-quad text; `null` when it is anything else (leading zeros are refused, as inet_pton(3) does). */
export function parseIpv4(text: string): Ipv4 | null {
  const match = DOTTED_QUAD.exec(text);
  if (match === null) return null;
  let address = 0;
  for (let octet = 1; octet <= 4; octet++) {
    const digits = match[octet]!;
    const value = Number(digits);
    if (value > 255 || (digits.length > 1 && digits[0] === "0")) return null;
    address = address * 256 + value;
  }
  return address as Ipv4;
}

/** Takes a number known to be an address (a decoded field); wraps it to 32 bits. */
export function ipv4FromNumber(value: number): Ipv4 {
  return (value >>> 0) as Ipv4;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The netmask of a prefix length 0..32, in host order. */
export function netmask(length: number): Ipv4 {
  return (length === 0 ? 0 : (-1 << (32 - length)) >>> 0) as Ipv4;
}

/** Reads `a.b.c.d/n`. Host bits are cleared; a bare address is a /32. `null` when it is neither. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | null {
  const slash = text.indexOf("/");
  const address = parseIpv4(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  if (slash < 0) return { address, length: 32 };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,2}$/.test(digits)) return null;
  const length = Number(digits);
  if (length > 32) return null;
  return { address: ipv4FromNumber(address & netmask(length)), length };
}

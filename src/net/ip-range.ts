/** Ranges of addresses with both ends included: what a CIDR or a `start`/`stop` pair means, never enumerated. */
import { addressBits, formatIpAddress, type IpAddress, type IpFamily, parseIpAddress } from "./ip-address.ts";

export interface IpRange {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

/** An address with a prefix length whose host bits are kept, as people write the address of a router. */
interface IpInterface {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Reads `address/length`, host bits kept; `null` when it is anything else. */
export function parseIpInterface(text: string): IpInterface | null {
  const slash = text.indexOf("/");
  if (slash < 0) return null;
  const address = parseIpAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  const prefixLength = Number(digits);
  return prefixLength > addressBits(address.family) ? null : { address, prefixLength };
}

/** The addresses of a CIDR; host bits are ignored. `null` when the text is not a CIDR. */
export function parseCidrRange(text: string): IpRange | null {
  const parsed = parseIpInterface(text);
  if (parsed === null) return null;
  const { family, value } = parsed.address;
  const hostBits = BigInt(addressBits(family) - parsed.prefixLength);
  const first = (value >> hostBits) << hostBits;
  return { family, first, last: first + (1n << hostBits) - 1n };
}

export function singleAddressRange(address: IpAddress): IpRange {
  return { family: address.family, first: address.value, last: address.value };
}

export function rangeSize(range: IpRange): bigint {
  return range.last - range.first + 1n;
}

export function rangeContains(range: IpRange, address: IpAddress): boolean {
  return range.family === address.family && range.first <= address.value && address.value <= range.last;
}

export function rangesOverlap(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

export function formatRange(range: IpRange): string {
  const { family, first, last } = range;
  return `${formatIpAddress({ family, value: first })} - ${formatIpAddress({ family, value: last })}`;
}

/** ICMP and ICMPv6 errors in captured frames, read without the project's own parsers. */
import { ipv4, ipv6 } from "./ip-packet.ts";
import type { CapturedFrame } from "./pcap.ts";

/** Unreachable, time exceeded, parameter problem (RFC 792). */
const IPV4_ERRORS = [3, 11, 12];
/** RFC 4443 §2.1. */
const FIRST_ICMP6_INFORMATION = 128;

export interface IcmpError {
  readonly source: string;
  readonly type: number;
  readonly code: number;
  /** Destination of the packet that the error quotes. */
  readonly quotedDestination: string;
}

/** The error in an Ethernet frame; `null` for anything else. Addresses as Linux prints them. */
export function icmpError({ bytes }: CapturedFrame): IcmpError | null {
  const isIpv4 = bytes.readUInt16BE(12) === 0x0800;
  const ip = 14;
  if (isIpv4 ? bytes[ip + 9] !== 1 : bytes[ip + 6] !== 58) return null;
  const icmp = ip + (isIpv4 ? 20 : 40);
  const quote = icmp + 8;
  const type = bytes[icmp]!;
  if (!(isIpv4 ? IPV4_ERRORS.includes(type) : type < FIRST_ICMP6_INFORMATION)) return null;
  return {
    source: isIpv4 ? ipv4(bytes, ip + 12) : ipv6(bytes, ip + 8),
    type,
    code: bytes[icmp + 1]!,
    quotedDestination: isIpv4 ? ipv4(bytes, quote + 16) : ipv6(bytes, quote + 24),
  };
}

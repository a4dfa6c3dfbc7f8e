/** Sums over the pseudo-header that TCP, UDP and ICMPv6 checksums cover (RFC 9293 §3.1, RFC 8200 §8.1). */
import { fold, sumBytes } from "./checksum.ts";
import { IPV4_SOURCE } from "./ipv4.ts";
import { IPV6_SOURCE } from "./ipv6.ts";
import { swap16 } from "./raw.ts";

/** Raw sum of addresses, protocol and length; `network` is the offset of the IP header. */
export function pseudoHeaderSum(
  view: DataView,
  isIpv4: boolean,
  network: number,
  protocol: number,
  bytes: number,
): number {
  const addresses = isIpv4 ? sumBytes(view, network + IPV4_SOURCE, 8) : sumBytes(view, network + IPV6_SOURCE, 32);
  return fold(addresses + swap16(protocol) + swap16(bytes & 0xffff));
}

/** The checksum of a transport segment whose checksum field is zero, raw. */
export function transportChecksum(
  view: DataView,
  isIpv4: boolean,
  network: number,
  protocol: number,
  at: number,
  bytes: number,
): number {
  return ~fold(pseudoHeaderSum(view, isIpv4, network, protocol, bytes) + sumBytes(view, at, bytes)) & 0xffff;
}

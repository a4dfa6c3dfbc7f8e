/**
 * Extended communities in words (RFC 4360, 5668, 7153): eight octets, of which the first two say what the rest is.
 *
 *     type 0x00, 0x40: AS of two octets, number of four      0x01: IPv4 address, number of two
 *     type 0x02:       AS of four octets, number of two      else: octets
 */
import { formatIpv4, ipv4FromNumber } from "../net/ipv4.ts";
import { formatHex, readU16, readU32 } from "./octets.ts";

const ROUTE_TARGET = 2;
const ROUTE_ORIGIN = 3;
const LINK_BANDWIDTH = 4;
const NOT_TRANSITIVE = 0x40;

/** `rt:65000:100`, `soo:192.0.2.1:5`, `link-bandwidth:65000:125000000`; hex for what has no name. */
export function formatExtendedCommunity(octets: Uint8Array): string {
  const value = numbersOf(octets);
  const kind = octets[1]!;
  if (value === null) return formatHex(octets);
  if (kind === ROUTE_TARGET) return `rt:${value}`;
  if (kind === ROUTE_ORIGIN) return `soo:${value}`;
  if (kind === LINK_BANDWIDTH && (octets[0]! & ~NOT_TRANSITIVE) === 0) {
    // Octets a second, as a float of 32 bits (draft-ietf-idr-link-bandwidth).
    const bandwidth = new DataView(octets.buffer, octets.byteOffset + 4, 4).getFloat32(0);
    return `link-bandwidth:${readU16(octets, 2)}:${bandwidth}`;
  }
  return formatHex(octets);
}

function numbersOf(octets: Uint8Array): string | null {
  switch (octets[0]! & ~NOT_TRANSITIVE) {
    case 0:
      return `${readU16(octets, 2)}:${readU32(octets, 4)}`;
    case 1:
      return `${formatIpv4(ipv4FromNumber(readU32(octets, 2)))}:${readU16(octets, 6)}`;
    case 2:
      return `${readU32(octets, 2)}:${readU16(octets, 6)}`;
    default:
      return null;
  }
}

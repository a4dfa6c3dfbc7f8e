/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3 and §4): routes of other families inside an attribute.
 *
 *     reach:   | AFI (2) | SAFI | next hop length | next hop ... | reserved | prefixes ... |
 *     unreach: | AFI (2) | SAFI | prefixes ... |
 *
 * A next hop of an IPv4 prefix may be an IPv6 address (RFC 8950). When these attributes are broken, which prefixes they
 * meant is unknown, so treating them as withdrawn is impossible: the session is reset, or, while other families are up and
 * only the prefixes of this one are unreadable, the family alone is given up (RFC 7606 §5.3).
 */
import { formatIpv4, ipv4FromNumber, parseIpv4 } from "../net/ipv4.ts";
import { ErrorCode, Fault, UpdateError } from "./fault.ts";
import { formatIpv6, parseIpv6 } from "./ipv6-prefix.ts";
import type { MpReach, MpUnreach, WireSession } from "./message.ts";
import {
  decodeIpv4Nlri,
  decodeIpv6Nlri,
  encodeIpv4Nlri,
  encodeIpv6Nlri,
  type Ipv4Nlri,
  type Ipv6Nlri,
} from "./nlri.ts";
import { type OctetWriter, readU16, readU32 } from "./octets.ts";

export const AFI_IPV4 = 1;
export const AFI_IPV6 = 2;
export const SAFI_UNICAST = 1;

export function decodeMpReach(bytes: Uint8Array, start: number, end: number, session: WireSession): MpReach | Fault {
  if (end - start < 5) return broken("MP_REACH_NLRI is shorter than 5 octets");
  const afi = readU16(bytes, start);
  const safi = bytes[start + 2]!;
  const nextHopBytes = bytes[start + 3]!;
  const nextHopAt = start + 4;
  const nlriAt = nextHopAt + nextHopBytes + 1;
  if (nlriAt > end) return broken("the next hop overruns MP_REACH_NLRI");
  if (safi !== SAFI_UNICAST || (afi !== AFI_IPV4 && afi !== AFI_IPV6)) {
    return { family: "other", afi, safi, value: bytes.slice(start + 3, end) };
  }
  const nextHops = decodeNextHops(bytes, nextHopAt, nextHopBytes, afi);
  if (nextHops === null) {
    return broken(`a next hop of ${nextHopBytes} octets does not suit AFI ${afi}`);
  }
  const found = decodePrefixes(bytes, nlriAt, end, afi, session);
  return found instanceof Fault ? found : { ...found, nextHops };
}

export function decodeMpUnreach(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: WireSession,
): MpUnreach | Fault {
  if (end - start < 3) return broken("MP_UNREACH_NLRI is shorter than 3 octets");
  const afi = readU16(bytes, start);
  const safi = bytes[start + 2]!;
  if (safi !== SAFI_UNICAST || (afi !== AFI_IPV4 && afi !== AFI_IPV6)) {
    return { family: "other", afi, safi, value: bytes.slice(start + 3, end) };
  }
  return decodePrefixes(bytes, start + 3, end, afi, session);
}

function broken(message: string): Fault {
  return new Fault("session-reset", ErrorCode.Update, UpdateError.OptionalAttribute, message);
}

type Prefixes =
  | { readonly family: "ipv4"; readonly nlri: Ipv4Nlri }
  | { readonly family: "ipv6"; readonly nlri: Ipv6Nlri };

function decodePrefixes(
  bytes: Uint8Array,
  at: number,
  end: number,
  afi: number,
  session: WireSession,
): Prefixes | Fault {
  const family = afi === AFI_IPV4 ? "ipv4" : "ipv6";
  if (afi === AFI_IPV4) {
    const nlri = decodeIpv4Nlri(bytes, at, end, session.addPathIpv4);
    return typeof nlri === "string" ? unreadable(nlri, family, session) : { family: "ipv4", nlri };
  }
  const nlri = decodeIpv6Nlri(bytes, at, end, session.addPathIpv6);
  return typeof nlri === "string" ? unreadable(nlri, family, session) : { family: "ipv6", nlri };
}

function unreadable(message: string, family: "ipv4" | "ipv6", session: WireSession): Fault {
  const action = session.severalFamilies ? "afi-safi-disable" : "session-reset";
  return new Fault(action, ErrorCode.Update, UpdateError.OptionalAttribute, message, undefined, family);
}

function decodeNextHops(bytes: Uint8Array, at: number, length: number, afi: number): string[] | null {
  if (length === 4 && afi === AFI_IPV4) return [formatIpv4(ipv4FromNumber(readU32(bytes, at)))];
  if (length === 16) return [formatIpv6(bytes, at)];
  if (length === 32) return [formatIpv6(bytes, at), formatIpv6(bytes, at + 16)];
  return null;
}

export function encodeMpReach(writer: OctetWriter, reach: MpReach): void {
  if (reach.family === "other") {
    writer.u16(reach.afi).u8(reach.safi).octets(reach.value);
    return;
  }
  encodeReachHead(writer, reach.family, reach.nextHops);
  if (reach.family === "ipv4") encodeIpv4Nlri(writer, reach.nlri);
  else encodeIpv6Nlri(writer, reach.nlri);
}

/** Everything of MP_REACH_NLRI before its prefixes. Next hops must be valid text of the family. */
export function encodeReachHead(writer: OctetWriter, family: "ipv4" | "ipv6", nextHops: readonly string[]): void {
  writer.u16(family === "ipv4" ? AFI_IPV4 : AFI_IPV6).u8(SAFI_UNICAST);
  const lengthAt = writer.length;
  writer.u8(0);
  for (const text of nextHops) {
    const ipv4 = family === "ipv4" ? parseIpv4(text) : null;
    if (ipv4 !== null) writer.u32(ipv4);
    else writer.octets(parseIpv6(text) ?? new Uint8Array(16));
  }
  writer.patchU8(lengthAt, writer.length - lengthAt - 1);
  writer.u8(0);
}

export function encodeMpUnreach(writer: OctetWriter, unreach: MpUnreach): void {
  if (unreach.family === "other") {
    writer.u16(unreach.afi).u8(unreach.safi).octets(unreach.value);
    return;
  }
  writer.u16(unreach.family === "ipv4" ? AFI_IPV4 : AFI_IPV6).u8(SAFI_UNICAST);
  if (unreach.family === "ipv4") encodeIpv4Nlri(writer, unreach.nlri);
  else encodeIpv6Nlri(writer, unreach.nlri);
}

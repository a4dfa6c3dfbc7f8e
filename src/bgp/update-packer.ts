/**
 * Many prefixes in few UPDATEs: prefixes with the same attributes share a message until 4096 octets are full.
 *
 * The attributes are encoded once per group. With one /32 per 5 octets a message holds about 800 prefixes, as the best of
 * the other speakers do. ADD-PATH is not used toward peers: there is one path per prefix.
 */
import { parseIpv4 } from "../net/ipv4.ts";
import { encodeAttributes } from "./attribute-encode.ts";
import { AttributeCode, Flag } from "./attribute-table.ts";
import { type ExportPolicy, nextHopFor, pathAttributesOf } from "./export-policy.ts";
import type { Ipv6Prefix } from "./ipv6-prefix.ts";
import { MAX_MESSAGE_BYTES, MESSAGE_TYPES } from "./message.ts";
import { beginMessage, endMessage } from "./message-codec.ts";
import { AFI_IPV6, encodeReachHead, SAFI_UNICAST } from "./mp-nlri.ts";
import { encodeIpv4Key, encodeIpv6Nlri, keyLength, type PrefixKey } from "./nlri.ts";
import { OctetWriter } from "./octets.ts";
import type { RouteAttributes } from "./route-attributes.ts";

/** No message when the session has no next hop for the routes. */
export function packIpv4Announce(
  route: RouteAttributes,
  keys: readonly PrefixKey[],
  policy: ExportPolicy,
): Uint8Array[] {
  const nextHop = nextHopFor(route, "ipv4", policy);
  if (nextHop === null) return [];
  if (parseIpv4(nextHop) === null) return packReach(route, "ipv4", nextHop, keys, keyBytes, encodeIpv4Key, policy);
  const attributes = new OctetWriter();
  encodeAttributes(attributes, pathAttributesOf(route, nextHop, policy), policy.wire);
  const octets = attributes.finish();
  const room = (writer: OctetWriter) => {
    beginMessage(writer, MESSAGE_TYPES.UPDATE);
    writer.u16(0).u16(octets.length).octets(octets);
  };
  return pack(keys, keyBytes, room, encodeIpv4Key, endMessage);
}

export function packIpv4Withdraw(keys: readonly PrefixKey[]): Uint8Array[] {
  const begin = (writer: OctetWriter) => {
    beginMessage(writer, MESSAGE_TYPES.UPDATE);
    writer.u16(0);
  };
  const end = (writer: OctetWriter) => {
    writer.patchU16(WITHDRAWN_LENGTH_AT, writer.length - WITHDRAWN_LENGTH_AT - 2);
    return endMessage(writer.u16(0));
  };
  return pack(keys, keyBytes, begin, encodeIpv4Key, end);
}

const WITHDRAWN_LENGTH_AT = 19;
const ATTRIBUTES_LENGTH_AT = 21;
/** Flags, type and two-octet length of an MP attribute begin right after the attributes length. */
const MP_LENGTH_AT = 25;

export function packIpv6Announce(
  route: RouteAttributes,
  prefixes: readonly Ipv6Prefix[],
  policy: ExportPolicy,
): Uint8Array[] {
  const nextHop = nextHopFor(route, "ipv6", policy);
  if (nextHop === null) return [];
  return packReach(route, "ipv6", nextHop, prefixes, prefixBytes, encodeIpv6Prefix, policy);
}

function packReach<Prefix>(
  route: RouteAttributes,
  afi: "ipv4" | "ipv6",
  nextHop: string,
  prefixes: readonly Prefix[],
  bytesOf: (prefix: Prefix) => number,
  put: (writer: OctetWriter, prefix: Prefix) => void,
  policy: ExportPolicy,
): Uint8Array[] {
  const others = new OctetWriter();
  encodeAttributes(others, pathAttributesOf(route, null, policy), policy.wire);
  const tail = others.finish();
  const begin = (writer: OctetWriter) => {
    beginMpAttribute(writer, AttributeCode.MpReach);
    encodeReachHead(writer, afi, [nextHop]);
  };
  return pack(prefixes, bytesOf, begin, put, (writer) => endMpAttribute(writer, tail), tail.length);
}

export function packIpv6Withdraw(prefixes: readonly Ipv6Prefix[]): Uint8Array[] {
  const begin = (writer: OctetWriter) => {
    beginMpAttribute(writer, AttributeCode.MpUnreach);
    writer.u16(AFI_IPV6).u8(SAFI_UNICAST);
  };
  return pack(prefixes, prefixBytes, begin, encodeIpv6Prefix, (writer) => endMpAttribute(writer, new Uint8Array(0)));
}

function beginMpAttribute(writer: OctetWriter, code: number): void {
  beginMessage(writer, MESSAGE_TYPES.UPDATE);
  writer.u16(0).u16(0);
  writer
    .u8(Flag.Optional | Flag.ExtendedLength)
    .u8(code)
    .u16(0);
}

function endMpAttribute(writer: OctetWriter, tail: Uint8Array): Uint8Array {
  writer.patchU16(MP_LENGTH_AT, writer.length - MP_LENGTH_AT - 2);
  writer.octets(tail);
  writer.patchU16(ATTRIBUTES_LENGTH_AT, writer.length - ATTRIBUTES_LENGTH_AT - 2);
  return endMessage(writer);
}

/** Fills messages one after the other; `reserved` octets are kept free for what `end` adds. */
function pack<Prefix>(
  prefixes: readonly Prefix[],
  bytesOf: (prefix: Prefix) => number,
  begin: (writer: OctetWriter) => void,
  put: (writer: OctetWriter, prefix: Prefix) => void,
  end: (writer: OctetWriter) => Uint8Array,
  reserved = 2,
): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let writer: OctetWriter | null = null;
  for (const prefix of prefixes) {
    if (writer !== null && writer.length + bytesOf(prefix) + reserved > MAX_MESSAGE_BYTES) {
      messages.push(end(writer));
      writer = null;
    }
    if (writer === null) {
      writer = new OctetWriter(MAX_MESSAGE_BYTES);
      begin(writer);
    }
    put(writer, prefix);
  }
  if (writer !== null) messages.push(end(writer));
  return messages;
}

function keyBytes(key: PrefixKey): number {
  return 1 + ((keyLength(key) + 7) >>> 3);
}

function prefixBytes(prefix: Ipv6Prefix): number {
  return 1 + ((prefix.length + 7) >>> 3);
}

function encodeIpv6Prefix(writer: OctetWriter, prefix: Ipv6Prefix): void {
  encodeIpv6Nlri(writer, { prefixes: [prefix], pathIds: null });
}

/**
 * The value of one known path attribute: octets to fields. Flags and framing were dealt with by the caller.
 *
 * Each decoder answers with the fields it sets, or with the words and the UPDATE error subcode of what is wrong; what that
 * costs is the table's business (`attribute-table.ts`), so one attribute's rule is one line there.
 */
import { type Ipv4, ipv4FromNumber } from "../net/ipv4.ts";
import { decodeAsPath } from "./as-path.ts";
import { AttributeCode } from "./attribute-table.ts";
import { UpdateError } from "./fault.ts";
import type { WireSession } from "./message.ts";
import { type Aggregator, type AsSegment, type LargeCommunity, ORIGINS, type PathAttributes } from "./message.ts";
import { readU16, readU32 } from "./octets.ts";

interface Wrong {
  readonly subcode: number;
  readonly words: string;
}

export type AttributeFields = { -readonly [Name in keyof PathAttributes]?: PathAttributes[Name] };

/** Reads attribute `code` from `bytes[start, end)`; MP_REACH and MP_UNREACH are read elsewhere. */
export function decodeAttributeValue(
  code: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  session: WireSession,
): AttributeFields | Wrong {
  const length = end - start;
  switch (code) {
    case AttributeCode.Origin: {
      if (length !== 1) return wrongLength(length, "1");
      const origin = ORIGINS[bytes[start]!];
      return origin === undefined ? wrong(UpdateError.Origin, `value ${bytes[start]} is undefined`) : { origin };
    }
    case AttributeCode.AsPath: {
      const asPath = decodeSessionAsPath(bytes, start, end, session);
      return typeof asPath === "string" ? wrong(UpdateError.AsPath, asPath) : { asPath };
    }
    case AttributeCode.NextHop:
      // Whether it is a useful address is for the user of the route to say; only its length is syntax (RFC 7606 §7.3).
      return length === 4 ? { nextHop: readIpv4(bytes, start) } : wrongLength(length, "4");
    case AttributeCode.Med:
      return length === 4 ? { med: readU32(bytes, start) } : wrongLength(length, "4");
    case AttributeCode.LocalPreference:
      return length === 4 ? { localPreference: readU32(bytes, start) } : wrongLength(length, "4");
    case AttributeCode.AtomicAggregate:
      return length === 0 ? { atomicAggregate: true } : wrongLength(length, "0");
    case AttributeCode.Aggregator: {
      const octets = session.fourOctetAs === "guess" ? (length === 6 ? 2 : 4) : session.fourOctetAs ? 4 : 2;
      if (length !== octets + 4) return wrongLength(length, `${octets + 4}`);
      const aggregator = readAggregator(bytes, start, octets);
      return aggregator.asn === 0 ? wrong(UpdateError.OptionalAttribute, "its AS number is 0") : { aggregator };
    }
    case AttributeCode.Communities:
      if (length === 0 || length % 4 !== 0) return wrongLength(length, "a multiple of 4");
      return { communities: offsets(start, end, 4).map((at) => readU32(bytes, at)) };
    case AttributeCode.OriginatorId:
      return length === 4 ? { originatorId: readIpv4(bytes, start) } : wrongLength(length, "4");
    case AttributeCode.ClusterList:
      if (length === 0 || length % 4 !== 0) return wrongLength(length, "a multiple of 4");
      return { clusterList: offsets(start, end, 4).map((at) => readIpv4(bytes, at)) };
    case AttributeCode.ExtendedCommunities:
      if (length === 0 || length % 8 !== 0) return wrongLength(length, "a multiple of 8");
      return { extendedCommunities: offsets(start, end, 8).map((at) => bytes.slice(at, at + 8)) };
    case AttributeCode.As4Path: {
      const as4Path = decodeAsPath(bytes, start, end, 4);
      if (typeof as4Path === "string") return wrong(UpdateError.OptionalAttribute, as4Path);
      // Confederation segments have no place in AS4_PATH and are dropped from it (RFC 6793 §6).
      return { as4Path: as4Path.filter((segment) => !isConfederation(segment)) };
    }
    case AttributeCode.As4Aggregator: {
      if (length !== 8) return wrongLength(length, "8");
      const as4Aggregator = readAggregator(bytes, start, 4);
      return as4Aggregator.asn === 0 ? wrong(UpdateError.OptionalAttribute, "its AS number is 0") : { as4Aggregator };
    }
    case AttributeCode.Ipv6ExtendedCommunities:
      if (length === 0 || length % 20 !== 0) return wrongLength(length, "a multiple of 20");
      return { ipv6ExtendedCommunities: offsets(start, end, 20).map((at) => bytes.slice(at, at + 20)) };
    case AttributeCode.LargeCommunities:
      if (length === 0 || length % 12 !== 0) return wrongLength(length, "a multiple of 12");
      return { largeCommunities: offsets(start, end, 12).map((at) => readLargeCommunity(bytes, at)) };
    case AttributeCode.OnlyToCustomer:
      return length === 4 ? { onlyToCustomer: readU32(bytes, start) } : wrongLength(length, "4");
    default:
      return {};
  }
}

function wrong(subcode: number, words: string): Wrong {
  return { subcode, words };
}

function wrongLength(length: number, expected: string): Wrong {
  return wrong(UpdateError.Length, `its length is ${length}, not ${expected}`);
}

function decodeSessionAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: WireSession,
): readonly AsSegment[] | string {
  let path = decodeAsPath(bytes, start, end, session.fourOctetAs === false ? 2 : 4);
  if (session.fourOctetAs === "guess" && typeof path === "string") {
    const narrow = decodeAsPath(bytes, start, end, 2);
    if (typeof narrow !== "string") path = narrow;
  }
  if (typeof path === "string") return path;
  // RFC 5065 §5: no confederation of ours reaches an external peer.
  if (session.external && path.some(isConfederation)) return "it has a confederation segment from an external peer";
  return path;
}

function isConfederation(segment: AsSegment): boolean {
  return segment.kind === "confed-sequence" || segment.kind === "confed-set";
}

function readIpv4(bytes: Uint8Array, at: number): Ipv4 {
  return ipv4FromNumber(readU32(bytes, at));
}

function readAggregator(bytes: Uint8Array, at: number, octets: 2 | 4): Aggregator {
  const asn = octets === 4 ? readU32(bytes, at) : readU16(bytes, at);
  return { asn, address: readIpv4(bytes, at + octets) };
}

function readLargeCommunity(bytes: Uint8Array, at: number): LargeCommunity {
  return [readU32(bytes, at), readU32(bytes, at + 4), readU32(bytes, at + 8)];
}

function offsets(start: number, end: number, size: number): number[] {
  const found: number[] = [];
  for (let at = start; at < end; at += size) found.push(at);
  return found;
}

/**
 * AS paths (RFC 4271 §4.3, 5065, 6793): segments of two- or four-octet AS numbers.
 *
 *     | segment type | count | count AS numbers of 2 or 4 octets |
 *
 * Toward a speaker of two-octet numbers a path carries AS_TRANS in place of each number that does not fit, and AS4_PATH
 * carries the truth beside it; `effectiveAsPath` puts the two together again.
 */
import { AS_TRANS, type AsSegment, type AsSegmentKind, type PathAttributes } from "./message.ts";
import { type OctetWriter, readU16, readU32 } from "./octets.ts";

/** By segment type number minus one. */
const KINDS: readonly AsSegmentKind[] = ["set", "sequence", "confed-sequence", "confed-set"];
const MAX_SEGMENT = 255;

/** The segments of an attribute value, or the words for what is wrong with it. */
export function decodeAsPath(bytes: Uint8Array, start: number, end: number, octets: 2 | 4): AsSegment[] | string {
  const segments: AsSegment[] = [];
  let at = start;
  while (at < end) {
    if (end - at < 2) return "a segment is cut off";
    const kind = KINDS[bytes[at]! - 1];
    if (kind === undefined) return `segment type ${bytes[at]} is unknown`;
    const count = bytes[at + 1]!;
    at += 2;
    if (count === 0) return "a segment is empty";
    if (end - at < count * octets) return "a segment overruns the attribute";
    const asns: number[] = [];
    for (let i = 0; i < count; i++, at += octets) {
      const asn = octets === 4 ? readU32(bytes, at) : readU16(bytes, at);
      if (asn === 0) return "AS number 0 is in the path";
      asns.push(asn);
    }
    segments.push({ kind, asns });
  }
  return segments;
}

export function encodeAsPath(writer: OctetWriter, path: readonly AsSegment[], octets: 2 | 4): void {
  for (const segment of path) {
    for (let from = 0; from < segment.asns.length; from += MAX_SEGMENT) {
      const asns = segment.asns.slice(from, from + MAX_SEGMENT);
      writer.u8(KINDS.indexOf(segment.kind) + 1).u8(asns.length);
      for (const asn of asns) {
        if (octets === 4) writer.u32(asn);
        else writer.u16(twoOctetAsn(asn));
      }
    }
  }
}

export function twoOctetAsn(asn: number): number {
  return asn > 0xffff ? AS_TRANS : asn;
}

/** AS4_PATH for a peer of two-octet numbers: `null` when every number fits; confederation segments stay out of it. */
export function as4PathOf(path: readonly AsSegment[]): readonly AsSegment[] | null {
  const segments = path.filter((segment) => segment.kind === "sequence" || segment.kind === "set");
  return segments.some((segment) => segment.asns.some((asn) => asn > 0xffff)) ? segments : null;
}

export function sequence(asns: readonly number[]): readonly AsSegment[] {
  return asns.length === 0 ? [] : [{ kind: "sequence", asns }];
}

/** Length as route selection counts it: a set is one hop, a confederation none (RFC 4271 §9.1.2.2, 5065 §5.3). */
export function pathLength(path: readonly AsSegment[]): number {
  let length = 0;
  for (const segment of path) {
    if (segment.kind === "sequence") length += segment.asns.length;
    else if (segment.kind === "set") length += 1;
  }
  return length;
}

/**
 * The path with AS4_PATH merged in (RFC 6793 §4.2.3): its leading hops from AS_PATH, the rest from AS4_PATH. Confederation
 * segments count nothing; they stay where they lead or stand beside a hop that stays. A speaker of four-octet numbers has
 * no business sending AS4_PATH: from it (`fourOctetAs`) the attribute is ignored (§4.1).
 */
export function effectiveAsPath(attributes: PathAttributes, fourOctetAs = false): readonly AsSegment[] {
  const path = attributes.asPath ?? [];
  const { as4Path, aggregator } = attributes;
  if (fourOctetAs || as4Path === null || (aggregator !== null && aggregator.asn !== AS_TRANS)) return path;
  let leading = pathLength(path) - pathLength(as4Path);
  if (leading < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (segment.kind === "sequence" || segment.kind === "set") {
      if (leading === 0) break;
      const asns = segment.kind === "sequence" ? segment.asns.slice(0, leading) : segment.asns;
      leading -= segment.kind === "sequence" ? asns.length : 1;
      merged.push({ kind: segment.kind, asns });
      if (asns.length < segment.asns.length) break;
    } else merged.push(segment);
  }
  return [...merged, ...as4Path];
}

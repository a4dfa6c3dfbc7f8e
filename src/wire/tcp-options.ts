/**
 * TCP options (RFC 9293 §3.1): kind, length and value each, but for end of list (0) and no operation (1), which are one byte.
 * Two are read: the maximum segment size (kind 2, length 4), and the sender's clock of timestamps (RFC 7323 §3: kind 8,
 * length 10).
 */
import { TCP_DATA_OFFSET, TCP_HEADER_BYTES } from "./transport.ts";

const END_OF_LIST = 0;
const NO_OPERATION = 1;
const MAXIMUM_SEGMENT_SIZE = 2;
const MAXIMUM_SEGMENT_SIZE_BYTES = 4;
const TIMESTAMPS = 8;
const TIMESTAMPS_BYTES = 10;

/** Offset of the two bytes that hold the MSS of a SYN whose header has been checked; -1 when it names none. */
export function findMss(view: DataView, segment: number): number {
  return findOption(view, segment, MAXIMUM_SEGMENT_SIZE, MAXIMUM_SEGMENT_SIZE_BYTES);
}

/** Offset of the four bytes that hold the clock of a segment's sender; -1 when it has no timestamps. */
export function findTimestamp(view: DataView, segment: number): number {
  return findOption(view, segment, TIMESTAMPS, TIMESTAMPS_BYTES);
}

function findOption(view: DataView, segment: number, wanted: number, bytes: number): number {
  const end = segment + (view.getUint8(segment + TCP_DATA_OFFSET) >>> 4) * 4;
  for (let at = segment + TCP_HEADER_BYTES; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === END_OF_LIST) return -1;
    if (kind === NO_OPERATION) {
      at++;
      continue;
    }
    if (at + 1 >= end) return -1;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) return -1;
    if (kind === wanted) return length === bytes ? at + 2 : -1;
    at += length;
  }
  return -1;
}

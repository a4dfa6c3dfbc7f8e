/**
 * IPv4 options (RFC 791 §3.1): type, length and value each, but for end of list (0) and no operation (1), which are one byte.
 * The highest bit of a type says whether fragments behind the first have a copy of the option; where they have none, there
 * is room, which no operation fills: so all headers of a packet are of one length.
 */
import { IPV4_HEADER_BYTES } from "./ipv4.ts";

const END_OF_LIST = 0;
const NO_OPERATION = 1;
const COPIED = 0x80;
/** A header has 60 bytes at most. */
const MAX_OPTION_WORDS = 10;

/** Memory for the options of a packet. */
export function newOptions(): Int32Array {
  return new Int32Array(MAX_OPTION_WORDS);
}

/** @param end of the header, which has been checked. */
export function loadOptions(view: DataView, packet: number, end: number, into: Int32Array): void {
  for (let at = packet + IPV4_HEADER_BYTES, word = 0; at < end; at += 4) into[word++] = view.getInt32(at, true);
}

export function storeOptions(view: DataView, packet: number, end: number, from: Int32Array): void {
  for (let at = packet + IPV4_HEADER_BYTES, word = 0; at < end; at += 4) view.setInt32(at, from[word++]!, true);
}

/** Blanks out what fragments behind the first do not have, and all from an option on that is none. */
export function keepCopiedOptions(view: DataView, packet: number, end: number): void {
  for (let at = packet + IPV4_HEADER_BYTES; at < end; ) {
    const type = view.getUint8(at);
    if (type === END_OF_LIST) return;
    const length = type === NO_OPERATION ? 1 : at + 1 < end ? view.getUint8(at + 1) : 0;
    const isSound = length >= (type === NO_OPERATION ? 1 : 2) && at + length <= end;
    const next = isSound ? at + length : end;
    if (!isSound || (type & COPIED) === 0) for (; at < next; at++) view.setUint8(at, NO_OPERATION);
    at = next;
  }
}

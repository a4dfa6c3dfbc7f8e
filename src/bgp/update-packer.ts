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
import { MAX_MESSAGE_BYTES, MESSAGE_TYPES } from "./message.ts";
import { beginMessage, endMessage } from "./message-codec.ts";
import { AFI_IPV6, encodeReachHead, SAFI_UNICAST } from "./mp-nlri.ts";
import { OctetWriter } from "./octets.ts";
import { PREFIX_OCTETS, type RouteColumn, type RouteFamily, type RouteTable } from "./route-table.ts";

const WITHDRAWN_LENGTH_AT = 19;
const ATTRIBUTES_LENGTH_AT = 21;
/** Flags, type and two-octet length of an MP attribute begin right after the attributes length. */
const MP_LENGTH_AT = 25;

/** How a message begins and ends; `reserved` octets are kept free for its end. */
interface Frame {
  begin(writer: OctetWriter): void;
  end(writer: OctetWriter): Uint8Array;
  readonly reserved: number;
}

/** UPDATEs that announce `rows` of the table, in which rows of equal attributes stand together. */
export function packAnnouncements(
  table: RouteTable,
  afi: RouteFamily,
  rows: Uint32Array,
  policy: ExportPolicy,
): Uint8Array[] {
  const column = table[afi];
  const messages: Uint8Array[] = [];
  for (let from = 0, to = 0; from < rows.length; from = to) {
    const index = column.attributes[rows[from]!]!;
    while (to < rows.length && column.attributes[rows[to]!] === index) to++;
    const route = table.attributes[index]!;
    const nextHop = nextHopFor(route, afi, policy);
    // A session that has no next hop for a route has been given a table without it.
    if (nextHop === null) continue;
    const isPlain = afi === "ipv4" && parseIpv4(nextHop) !== null;
    const attributes = new OctetWriter();
    encodeAttributes(attributes, pathAttributesOf(route, isPlain ? nextHop : null, policy), policy.wire);
    const frame = isPlain ? plainFrame(attributes.finish()) : reachFrame(afi, nextHop, attributes.finish());
    pack(messages, column, PREFIX_OCTETS[afi], rows.subarray(from, to), frame);
  }
  return messages;
}

/** UPDATEs that withdraw `rows` of the column. */
export function packWithdrawals(column: RouteColumn, afi: RouteFamily, rows: Uint32Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  pack(messages, column, PREFIX_OCTETS[afi], rows, afi === "ipv4" ? WITHDRAWN_FRAME : UNREACH_FRAME);
  return messages;
}

/** The prefixes are what the message ends with. */
function plainFrame(attributes: Uint8Array): Frame {
  return {
    begin: (writer) => {
      beginMessage(writer, MESSAGE_TYPES.UPDATE);
      writer.u16(0).u16(attributes.length).octets(attributes);
    },
    end: endMessage,
    reserved: 0,
  };
}

const WITHDRAWN_FRAME: Frame = {
  begin: (writer) => {
    beginMessage(writer, MESSAGE_TYPES.UPDATE);
    writer.u16(0);
  },
  end: (writer) => {
    writer.patchU16(WITHDRAWN_LENGTH_AT, writer.length - WITHDRAWN_LENGTH_AT - 2);
    return endMessage(writer.u16(0));
  },
  reserved: 2,
};

/** The prefixes are in MP_REACH_NLRI, which stands before the other attributes. */
function reachFrame(afi: RouteFamily, nextHop: string, others: Uint8Array): Frame {
  return {
    begin: (writer) => {
      beginMpAttribute(writer, AttributeCode.MpReach);
      encodeReachHead(writer, afi, [nextHop]);
    },
    end: (writer) => endMpAttribute(writer, others),
    reserved: others.length,
  };
}

const UNREACH_FRAME: Frame = {
  begin: (writer) => {
    beginMpAttribute(writer, AttributeCode.MpUnreach);
    writer.u16(AFI_IPV6).u8(SAFI_UNICAST);
  },
  end: (writer) => endMpAttribute(writer, new Uint8Array(0)),
  reserved: 0,
};

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

/** Fills messages one after the other: of each prefix its length and the octets that the length covers. */
function pack(messages: Uint8Array[], column: RouteColumn, octets: number, rows: Uint32Array, frame: Frame): void {
  const { prefixes } = column;
  const most = MAX_MESSAGE_BYTES - frame.reserved;
  const writer = new OctetWriter(MAX_MESSAGE_BYTES);
  for (const row of rows) {
    const at = row * octets;
    const length = prefixes[at + octets - 1]!;
    const significant = (length + 7) >>> 3;
    if (writer.length > 0 && writer.length + 1 + significant > most) {
      messages.push(frame.end(writer));
      writer.length = 0;
    }
    if (writer.length === 0) frame.begin(writer);
    writer.u8(length);
    for (let i = 0; i < significant; i++) writer.u8(prefixes[at + i]!);
  }
  if (writer.length > 0) messages.push(frame.end(writer));
}

/**
 * BGP messages: octets to values and back (RFC 4271 §4 and §6).
 *
 *     | marker: 16 octets of 0xff | length (2, whole message) | type (1) | body ... |
 *
 * `decodeMessage` takes exactly one message and answers with the message, the faults, or both: a malformed attribute
 * leaves a message that was turned into what it is to be treated as. It reads only inside its bounds and never throws.
 */
import { ErrorCode, Fault, HeaderError, reset } from "./fault.ts";
import {
  HEADER_BYTES,
  MAX_EXTENDED_MESSAGE_BYTES,
  MAX_MESSAGE_BYTES,
  MESSAGE_TYPES,
  type Message,
  type WireSession,
} from "./message.ts";
import { OctetWriter, readU16 } from "./octets.ts";
import { decodeOpen, encodeOpen } from "./open.ts";
import { decodeUpdate, encodeUpdate } from "./update.ts";

interface Decoded {
  /** `null` when a fault asks for a session reset. */
  readonly message: Message | null;
  readonly faults: readonly Fault[];
}

const MARKER_BYTES = 16;
/** Whole messages, by type number; `exact` ones have no other length. */
const MIN_BYTES = [0, 29, 23, 21, 19, 23] as const;
const ROUTE_REFRESH_BYTES = 23;
/** RFC 7313 §5. */
const REFRESH_LENGTH_ERROR = 1;

/** The length of the message that begins at `at`, of which `available` octets (at least 19) are there. */
export function decodeHeader(bytes: Uint8Array, at: number, session: WireSession): number | Fault {
  for (let i = 0; i < MARKER_BYTES; i++) {
    if (bytes[at + i] !== 0xff) return reset(ErrorCode.Header, HeaderError.Marker, "the marker is not all ones");
  }
  const length = readU16(bytes, at + MARKER_BYTES);
  const type = bytes[at + 18]!;
  const short = type === MESSAGE_TYPES.OPEN || type === MESSAGE_TYPES.KEEPALIVE || !session.extendedMessages;
  if (length < HEADER_BYTES || length > (short ? MAX_MESSAGE_BYTES : MAX_EXTENDED_MESSAGE_BYTES)) {
    return badLength(bytes, at, `message length ${length} is out of range`);
  }
  const least = type === 0 ? undefined : MIN_BYTES[type];
  if (least === undefined) {
    return reset(ErrorCode.Header, HeaderError.Type, `message type ${type} is unknown`, Uint8Array.of(type));
  }
  if (length < least || (type === MESSAGE_TYPES.KEEPALIVE && length !== HEADER_BYTES)) {
    return badLength(bytes, at, `length ${length} does not suit message type ${type}`);
  }
  return length;
}

function badLength(bytes: Uint8Array, at: number, message: string): Fault {
  return reset(ErrorCode.Header, HeaderError.Length, message, bytes.slice(at + MARKER_BYTES, at + MARKER_BYTES + 2));
}

export function decodeMessage(bytes: Uint8Array, session: WireSession): Decoded {
  if (bytes.length < HEADER_BYTES) {
    return refused(reset(ErrorCode.Header, HeaderError.Length, "the message is shorter than its header"));
  }
  const length = decodeHeader(bytes, 0, session);
  if (length instanceof Fault) return refused(length);
  if (length !== bytes.length) {
    return refused(badLength(bytes, 0, `the header says ${length} octets, there are ${bytes.length}`));
  }
  switch (bytes[18]) {
    case MESSAGE_TYPES.OPEN: {
      const open = decodeOpen(bytes);
      return open instanceof Fault ? refused(open) : { message: open, faults: [] };
    }
    case MESSAGE_TYPES.UPDATE:
      return decodeUpdate(bytes, session);
    case MESSAGE_TYPES.NOTIFICATION: {
      const data = bytes.slice(21);
      return { message: { type: "NOTIFICATION", code: bytes[19]!, subcode: bytes[20]!, data }, faults: [] };
    }
    case MESSAGE_TYPES["ROUTE-REFRESH"]:
      return decodeRouteRefresh(bytes);
    default:
      return { message: { type: "KEEPALIVE" }, faults: [] };
  }
}

function refused(fault: Fault): Decoded {
  return { message: null, faults: [fault] };
}

function decodeRouteRefresh(bytes: Uint8Array): Decoded {
  const subtype = bytes[21]!;
  if (bytes.length !== ROUTE_REFRESH_BYTES) {
    const marksRefresh = subtype === 1 || subtype === 2;
    if (!marksRefresh) return refused(badLength(bytes, 0, "a route refresh request with filters was not negotiated"));
    const message = `a route refresh of ${bytes.length} octets, not ${ROUTE_REFRESH_BYTES}`;
    return refused(reset(ErrorCode.RouteRefresh, REFRESH_LENGTH_ERROR, message, bytes.slice()));
  }
  return {
    message: { type: "ROUTE-REFRESH", afi: readU16(bytes, 19), safi: bytes[22]!, subtype },
    faults: [],
  };
}

/** A whole message; the caller keeps its content within the length that the session allows. */
export function encodeMessage(message: Message, session: WireSession): Uint8Array {
  const writer = new OctetWriter();
  beginMessage(writer, MESSAGE_TYPES[message.type]);
  switch (message.type) {
    case "OPEN":
      encodeOpen(writer, message);
      break;
    case "UPDATE":
      encodeUpdate(writer, message, session);
      break;
    case "NOTIFICATION":
      writer.u8(message.code).u8(message.subcode).octets(message.data);
      break;
    case "ROUTE-REFRESH":
      writer.u16(message.afi).u8(message.subtype).u8(message.safi);
      break;
    case "KEEPALIVE":
      break;
  }
  return endMessage(writer);
}

export function beginMessage(writer: OctetWriter, type: number): void {
  for (let i = 0; i < MARKER_BYTES; i++) writer.u8(0xff);
  writer.u16(0).u8(type);
}

export function endMessage(writer: OctetWriter): Uint8Array {
  writer.patchU16(MARKER_BYTES, writer.length);
  return writer.finish();
}

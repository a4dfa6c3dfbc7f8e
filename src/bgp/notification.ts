/**
 * NOTIFICATION in words, and the shutdown text of RFC 9003 inside a Cease.
 *
 *     data of Cease/Administrative Shutdown or Reset: | length | UTF-8 text of that many octets |
 *     data of Cease/Hard Reset (RFC 8538):            | code | subcode | data of the NOTIFICATION it wraps |
 */
import { Cease, ErrorCode, type Fault } from "./fault.ts";
import type { Notification } from "./message.ts";

const NAMES: Readonly<Record<number, readonly [string, Readonly<Record<number, string>>]>> = {
  1: ["Message Header Error", { 1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type" }],
  2: [
    "OPEN Message Error",
    {
      1: "Unsupported Version Number",
      2: "Bad Peer AS",
      3: "Bad BGP Identifier",
      4: "Unsupported Optional Parameter",
      5: "Authentication Failure",
      6: "Unacceptable Hold Time",
      7: "Unsupported Capability",
      11: "Role Mismatch",
    },
  ],
  3: [
    "UPDATE Message Error",
    {
      1: "Malformed Attribute List",
      2: "Unrecognized Well-known Attribute",
      3: "Missing Well-known Attribute",
      4: "Attribute Flags Error",
      5: "Attribute Length Error",
      6: "Invalid ORIGIN Attribute",
      8: "Invalid NEXT_HOP Attribute",
      9: "Optional Attribute Error",
      10: "Invalid Network Field",
      11: "Malformed AS_PATH",
    },
  ],
  4: ["Hold Timer Expired", {}],
  5: [
    "Finite State Machine Error",
    {
      1: "Unexpected Message in OpenSent",
      2: "Unexpected Message in OpenConfirm",
      3: "Unexpected Message in Established",
    },
  ],
  6: [
    "Cease",
    {
      1: "Maximum Number of Prefixes Reached",
      2: "Administrative Shutdown",
      3: "Peer De-configured",
      4: "Administrative Reset",
      5: "Connection Rejected",
      6: "Other Configuration Change",
      7: "Connection Collision Resolution",
      8: "Out of Resources",
      9: "Hard Reset",
      10: "BFD Down",
    },
  ],
  7: ["ROUTE-REFRESH Message Error", { 1: "Invalid Message Length" }],
  8: ["Send Hold Timer Expired", {}],
};

/** RFC 9003 §2: at most 255 octets of text. */
const MAX_SHUTDOWN_TEXT_BYTES = 255;

/** `Cease/Administrative Shutdown`. */
export function notificationName(code: number, subcode: number): string {
  const [name, subcodes] = NAMES[code] ?? [`code ${code}`, {}];
  if (subcode === 0) return name;
  return `${name}/${subcodes[subcode] ?? `subcode ${subcode}`}`;
}

/** Name, and the operator's text if the peer sent one. */
export function describeNotification({ code, subcode, data }: Notification): string {
  if (code === ErrorCode.Cease && subcode === Cease.HardReset && data.length >= 2) {
    const wrapped = { type: "NOTIFICATION", code: data[0]!, subcode: data[1]!, data: data.subarray(2) } as const;
    return `${notificationName(code, subcode)}: ${describeNotification(wrapped)}`;
  }
  const text = shutdownText(code, subcode, data);
  return text === null ? notificationName(code, subcode) : `${notificationName(code, subcode)}: "${text}"`;
}

/** The operator's text of a Cease; `null` when it has none or it is malformed. */
export function shutdownText(code: number, subcode: number, data: Uint8Array): string | null {
  if (code !== ErrorCode.Cease) return null;
  if (subcode !== Cease.AdministrativeShutdown && subcode !== Cease.AdministrativeReset) return null;
  const length = data[0] ?? 0;
  if (length === 0 || length > data.length - 1) return null;
  const text = new TextDecoder().decode(data.subarray(1, 1 + length));
  // What an operator elsewhere wrote ends up in our logs: no control characters (RFC 9003 §4).
  return text.replaceAll(/\p{Cc}/gu, " ");
}

export function notificationOf(fault: Fault): Notification {
  return { type: "NOTIFICATION", code: fault.code, subcode: fault.subcode, data: fault.data };
}

export function cease(subcode: number, text = ""): Notification {
  let octets = new TextEncoder().encode(text);
  if (octets.length > MAX_SHUTDOWN_TEXT_BYTES) {
    // Cut before a character that would not fit whole: continuation octets are 0b10xxxxxx.
    let end = MAX_SHUTDOWN_TEXT_BYTES;
    while (end > 0 && (octets[end]! & 0xc0) === 0x80) end--;
    octets = octets.subarray(0, end);
  }
  const data = octets.length === 0 ? octets : Uint8Array.of(octets.length, ...octets);
  return { type: "NOTIFICATION", code: ErrorCode.Cease, subcode, data };
}

/** RFC 8538 §3: the form that ends a session for good where any other NOTIFICATION would only begin a graceful restart. */
export function hardReset({ code, subcode, data }: Notification): Notification {
  return {
    type: "NOTIFICATION",
    code: ErrorCode.Cease,
    subcode: Cease.HardReset,
    data: Uint8Array.of(code, subcode, ...data),
  };
}

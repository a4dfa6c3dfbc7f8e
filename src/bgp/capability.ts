/**
 * Capabilities of the OPEN message (RFC 5492): what each side can do.
 *
 *     +------+--------+----------------+
 *     | code | length | value          |   one after another inside optional parameter 2
 *     +------+--------+----------------+
 *
 * To add one: a variant of `Capability`, a case in `decodeCapability`, one in `encodeCapability`, and its JSON follows by
 * itself. A capability of unknown code, or whose value has an unknown shape, is kept as octets: RFC 5492 §3 has it
 * ignored, not refused. Only the four-octet AS number is too important to be ignored when malformed.
 */
import { ErrorCode, Fault, OpenError, reset } from "./fault.ts";
import { OctetWriter, readU16, readU32 } from "./octets.ts";

export interface Family {
  readonly afi: number;
  readonly safi: number;
}

type AddPathMode = "receive" | "send" | "both";
const ADD_PATH_MODES: readonly AddPathMode[] = ["receive", "send", "both"];

/** RFC 9234 §4.1, in the order of their numbers. */
export const ROLES = ["provider", "route-server", "route-server-client", "customer", "peer"] as const;
export type Role = (typeof ROLES)[number];

export type Capability =
  | ({ readonly name: "multiprotocol" } & Family)
  | { readonly name: "route-refresh" }
  | { readonly name: "extended-next-hop"; readonly families: readonly (Family & { readonly nextHopAfi: number })[] }
  | { readonly name: "extended-message" }
  | { readonly name: "role"; readonly role: Role }
  | {
      readonly name: "graceful-restart";
      readonly restarting: boolean;
      /** The N bit of RFC 8538. */
      readonly notification: boolean;
      readonly timeSeconds: number;
      readonly families: readonly (Family & { readonly forwarding: boolean })[];
    }
  | { readonly name: "four-octet-as"; readonly asn: number }
  | { readonly name: "add-path"; readonly families: readonly (Family & { readonly mode: AddPathMode })[] }
  | { readonly name: "enhanced-route-refresh" }
  | { readonly name: "unknown"; readonly code: number; readonly value: Uint8Array };

const CODE = {
  multiprotocol: 1,
  "route-refresh": 2,
  "extended-next-hop": 5,
  "extended-message": 6,
  role: 9,
  "graceful-restart": 64,
  "four-octet-as": 65,
  "add-path": 69,
  "enhanced-route-refresh": 70,
} as const;

/** The capabilities in `bytes[start, end)`: the content of one optional parameter 2. */
export function decodeCapabilities(bytes: Uint8Array, start: number, end: number): Capability[] | Fault {
  const capabilities: Capability[] = [];
  let at = start;
  while (at < end) {
    if (end - at < 2) return malformed("a capability is cut off");
    const code = bytes[at]!;
    const length = bytes[at + 1]!;
    at += 2;
    if (end - at < length) return malformed(`capability ${code} overruns its parameter`);
    const capability = decodeCapability(code, bytes.subarray(at, at + length));
    if (capability instanceof Fault) return capability;
    capabilities.push(capability);
    at += length;
  }
  return capabilities;
}

function malformed(message: string): Fault {
  return reset(ErrorCode.Open, OpenError.Unspecific, message);
}

function decodeCapability(code: number, value: Uint8Array): Capability | Fault {
  const unknown: Capability = { name: "unknown", code, value: value.slice() };
  switch (code) {
    case CODE.multiprotocol:
      return value.length === 4 ? { name: "multiprotocol", ...familyAt(value, 0, 3) } : unknown;
    case CODE["route-refresh"]:
      return value.length === 0 ? { name: "route-refresh" } : unknown;
    case CODE["extended-message"]:
      return value.length === 0 ? { name: "extended-message" } : unknown;
    case CODE["enhanced-route-refresh"]:
      return value.length === 0 ? { name: "enhanced-route-refresh" } : unknown;
    case CODE["four-octet-as"]:
      if (value.length !== 4) return malformed(`the four-octet AS capability has ${value.length} octets, not 4`);
      return { name: "four-octet-as", asn: readU32(value, 0) };
    case CODE.role:
      return value.length === 1 && value[0]! < ROLES.length ? { name: "role", role: ROLES[value[0]!]! } : unknown;
    case CODE["extended-next-hop"]:
      if (value.length % 6 !== 0) return unknown;
      return {
        name: "extended-next-hop",
        families: chunks(value, 0, 6).map((at) => ({
          afi: readU16(value, at),
          safi: readU16(value, at + 2),
          nextHopAfi: readU16(value, at + 4),
        })),
      };
    case CODE["add-path"]:
      if (value.length % 4 !== 0 || chunks(value, 0, 4).some((at) => value[at + 3]! < 1 || value[at + 3]! > 3)) {
        return unknown;
      }
      return {
        name: "add-path",
        families: chunks(value, 0, 4).map((at) => ({
          ...familyAt(value, at, at + 2),
          mode: ADD_PATH_MODES[value[at + 3]! - 1]!,
        })),
      };
    case CODE["graceful-restart"]:
      if (value.length < 2 || (value.length - 2) % 4 !== 0) return unknown;
      return {
        name: "graceful-restart",
        restarting: (value[0]! & 0x80) !== 0,
        notification: (value[0]! & 0x40) !== 0,
        timeSeconds: readU16(value, 0) & 0x0fff,
        families: chunks(value, 2, 4).map((at) => ({
          ...familyAt(value, at, at + 2),
          forwarding: (value[at + 3]! & 0x80) !== 0,
        })),
      };
    default:
      return unknown;
  }
}

function familyAt(value: Uint8Array, afiAt: number, safiAt: number): Family {
  return { afi: readU16(value, afiAt), safi: value[safiAt]! };
}

function chunks(value: Uint8Array, start: number, size: number): number[] {
  const offsets: number[] = [];
  for (let at = start; at < value.length; at += size) offsets.push(at);
  return offsets;
}

export function encodeCapability(writer: OctetWriter, capability: Capability): void {
  const value = new OctetWriter(32);
  encodeValue(value, capability);
  writer.u8(capability.name === "unknown" ? capability.code : CODE[capability.name]);
  writer.u8(value.length).octets(value.finish());
}

function encodeValue(value: OctetWriter, capability: Capability): void {
  switch (capability.name) {
    case "multiprotocol":
      value.u16(capability.afi).u8(0).u8(capability.safi);
      return;
    case "four-octet-as":
      value.u32(capability.asn);
      return;
    case "role":
      value.u8(ROLES.indexOf(capability.role));
      return;
    case "extended-next-hop":
      for (const family of capability.families) value.u16(family.afi).u16(family.safi).u16(family.nextHopAfi);
      return;
    case "add-path":
      for (const family of capability.families) {
        value
          .u16(family.afi)
          .u8(family.safi)
          .u8(ADD_PATH_MODES.indexOf(family.mode) + 1);
      }
      return;
    case "graceful-restart":
      value.u16((capability.restarting ? 0x8000 : 0) | (capability.notification ? 0x4000 : 0) | capability.timeSeconds);
      for (const family of capability.families) {
        value
          .u16(family.afi)
          .u8(family.safi)
          .u8(family.forwarding ? 0x80 : 0);
      }
      return;
    case "unknown":
      value.octets(capability.value);
      return;
    default:
      return;
  }
}

/**
 * The OPEN message (RFC 4271 §4.2) with its capabilities; optional parameters in the short form and in the extended one
 * of RFC 9072, which a speaker must accept even where the parameters would fit the short one.
 *
 *     | version | my AS (2) | hold time (2) | BGP identifier (4) | parameters length | parameters ... |
 */
import { ipv4FromNumber } from "../net/ipv4.ts";
import { type Capability, decodeCapabilities, encodeCapability } from "./capability.ts";
import { ErrorCode, Fault, OpenError, reset } from "./fault.ts";
import { HEADER_BYTES, type Open } from "./message.ts";
import { OctetWriter, readU16, readU32 } from "./octets.ts";

export const BGP_VERSION = 4;
const PARAMETER_CAPABILITIES = 2;
/** RFC 9072: a first parameter of this type announces two-octet lengths. */
const EXTENDED = 255;

/** Reads a whole message whose header was checked and whose length is at least 29. */
export function decodeOpen(bytes: Uint8Array): Open | Fault {
  const version = bytes[HEADER_BYTES]!;
  const asn = readU16(bytes, 20);
  const holdTimeSeconds = readU16(bytes, 22);
  const routerId = ipv4FromNumber(readU32(bytes, 24));
  if (version !== BGP_VERSION) {
    return bad(OpenError.Version, `BGP version ${version} is not supported`, Uint8Array.of(0, BGP_VERSION));
  }
  if (asn === 0) return bad(OpenError.PeerAs, "AS number 0 is not allowed", bytes.slice(20, 22));
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) {
    return bad(OpenError.HoldTime, `hold time ${holdTimeSeconds} is below 3 seconds`, bytes.slice(22, 24));
  }
  if (routerId === 0) return bad(OpenError.RouterId, "the BGP identifier is 0.0.0.0", bytes.slice(24, 28));
  const groups = decodeParameters(bytes);
  if (groups instanceof Fault) return groups;
  const capabilities = groups.flat();
  for (const capability of capabilities) {
    if (capability.name === "four-octet-as" && capability.asn === 0) {
      return bad(OpenError.PeerAs, "AS number 0 is not allowed", new Uint8Array(4));
    }
  }
  const parameters = groups.length > 1 || groups[0]?.length === 0 ? groups.map((group) => group.length) : null;
  return { type: "OPEN", version, asn, holdTimeSeconds, routerId, capabilities, parameters };
}

function bad(subcode: number, message: string, data?: Uint8Array): Fault {
  return reset(ErrorCode.Open, subcode, message, data);
}

/** The capabilities of each optional parameter. */
function decodeParameters(bytes: Uint8Array): Capability[][] | Fault {
  const end = bytes.length;
  // §2: the type decides; the short length before it is 255 or anything but 0, and ignored.
  const extended = bytes[28] !== 0 && end > 29 && bytes[29] === EXTENDED;
  if (extended && end < 32) return bad(OpenError.Unspecific, "the extended parameters length is cut off");
  const length = extended ? readU16(bytes, 30) : bytes[28]!;
  let at = extended ? 32 : 29;
  if (at + length !== end) {
    return bad(OpenError.Unspecific, `the parameters length ${length} does not fit the message`);
  }
  const groups: Capability[][] = [];
  const headBytes = extended ? 3 : 2;
  while (at < end) {
    if (end - at < headBytes) return bad(OpenError.Unspecific, "an optional parameter is cut off");
    const type = bytes[at]!;
    const size = extended ? readU16(bytes, at + 1) : bytes[at + 1]!;
    at += headBytes;
    if (end - at < size) return bad(OpenError.Unspecific, `optional parameter ${type} overruns the message`);
    if (type !== PARAMETER_CAPABILITIES) {
      return bad(OpenError.OptionalParameter, `optional parameter ${type} is not supported`);
    }
    const found = decodeCapabilities(bytes, at, at + size);
    if (found instanceof Fault) return found;
    groups.push(found);
    at += size;
  }
  return groups;
}

/** Writes the body, in the extended form of RFC 9072 only when the parameters do not fit the short one. */
export function encodeOpen(writer: OctetWriter, open: Open): void {
  writer.u8(open.version).u16(open.asn).u16(open.holdTimeSeconds).u32(open.routerId);
  const groups: Uint8Array[] = [];
  let from = 0;
  for (const count of open.parameters ?? []) {
    groups.push(encodeGroup(open.capabilities.slice(from, from + count)));
    from += count;
  }
  if (from < open.capabilities.length) groups.push(encodeGroup(open.capabilities.slice(from)));
  const contentBytes = groups.reduce((sum, group) => sum + group.length, 0);
  const extended = contentBytes + 2 * groups.length >= EXTENDED;
  if (extended)
    writer
      .u8(EXTENDED)
      .u8(EXTENDED)
      .u16(contentBytes + 3 * groups.length);
  else writer.u8(contentBytes + 2 * groups.length);
  for (const group of groups) {
    writer.u8(PARAMETER_CAPABILITIES);
    if (extended) writer.u16(group.length);
    else writer.u8(group.length);
    writer.octets(group);
  }
}

function encodeGroup(capabilities: readonly Capability[]): Uint8Array {
  const writer = new OctetWriter(128);
  for (const capability of capabilities) encodeCapability(writer, capability);
  return writer.finish();
}

/**
 * The path attributes of an UPDATE (RFC 4271 §4.3), with the reactions of RFC 7606 to what is wrong with them.
 *
 *     | flags | type | length (1, or 2 with the Extended Length flag) | value |
 *
 * One bad attribute does not spoil the others: decoding goes on and collects faults, so that the gravest can decide. Only
 * when an attribute's length leaves the list is the rest of the list unknowable.
 */

import { LayoutRecorder } from "./attribute-layout.ts";
import { ATTRIBUTE_RULES, AttributeCode, type AttributeRule, Flag } from "./attribute-table.ts";
import { type AttributeFields, decodeAttributeValue } from "./attribute-value.ts";
import { ErrorCode, Fault, type FaultAction, UpdateError } from "./fault.ts";
import { NO_ATTRIBUTES, type PathAttributes, type UnknownAttribute, type WireSession } from "./message.ts";
import { decodeMpReach, decodeMpUnreach } from "./mp-nlri.ts";
import { readU16 } from "./octets.ts";

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  /** Attribute types that were present, malformed ones included. */
  readonly present: ReadonlySet<number>;
  readonly faults: readonly Fault[];
}

export function decodeAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: WireSession,
): DecodedAttributes {
  const fields: AttributeFields = {};
  const unknown: UnknownAttribute[] = [];
  const present = new Set<number>();
  const faults: Fault[] = [];
  const recorder = new LayoutRecorder();
  let at = start;
  while (at < end) {
    const wide = (bytes[at]! & Flag.ExtendedLength) !== 0;
    const head = wide ? 4 : 3;
    const fits = end - at >= head;
    const length = fits ? (wide ? readU16(bytes, at + 2) : bytes[at + 2]!) : 0;
    const valueEnd = at + head + length;
    if (!fits || valueEnd > end) {
      // RFC 7606 §4: the prefixes are still where the total length says, so they can be withdrawn.
      faults.push(fault("treat-as-withdraw", UpdateError.AttributeList, "an attribute overruns the attribute list"));
      break;
    }
    const code = bytes[at + 1]!;
    if (present.has(code)) {
      const twice = duplicate(code);
      if (twice !== null) faults.push(twice);
    } else {
      present.add(code);
      recorder.note(bytes[at]!, code, length);
      const flagged = wrongFlags(bytes, at, valueEnd);
      if (flagged !== null) faults.push(flagged);
      // The prefixes of an attribute with wrong flags are still to be withdrawn, so those are read all the same.
      if (flagged === null || code === AttributeCode.MpReach || code === AttributeCode.MpUnreach) {
        const found = decodeOne(bytes, at, at + head, valueEnd, session, unknown);
        if (found instanceof Fault) faults.push(found);
        else Object.assign(fields, found);
      }
    }
    at = valueEnd;
  }
  const attributes = { ...NO_ATTRIBUTES, ...fields, unknown, layout: recorder.layout() };
  return { attributes, present, faults };
}

function fault(action: FaultAction, subcode: number, message: string, data?: Uint8Array): Fault {
  return new Fault(action, ErrorCode.Update, subcode, message, data);
}

/** RFC 7606 §3 g: of a repeated attribute the first counts, silently; but routes listed twice are ambiguous. */
function duplicate(code: number): Fault | null {
  if (code !== AttributeCode.MpReach && code !== AttributeCode.MpUnreach) return null;
  const name = ATTRIBUTE_RULES.get(code)!.name;
  return fault("session-reset", UpdateError.AttributeList, `${name} appears twice`);
}

/** RFC 7606 §3 c. */
function wrongFlags(bytes: Uint8Array, at: number, end: number): Fault | null {
  const flags = bytes[at]!;
  const rule = ATTRIBUTE_RULES.get(bytes[at + 1]!);
  if (rule === undefined || (flags & (Flag.Optional | Flag.Transitive)) === rule.flags) return null;
  const message = `${rule.name} has flags 0x${flags.toString(16).padStart(2, "0")}`;
  return fault("treat-as-withdraw", UpdateError.Flags, message, bytes.slice(at, end));
}

function decodeOne(
  bytes: Uint8Array,
  at: number,
  valueAt: number,
  end: number,
  session: WireSession,
  unknown: UnknownAttribute[],
): AttributeFields | Fault {
  const flags = bytes[at]!;
  const code = bytes[at + 1]!;
  const rule = ATTRIBUTE_RULES.get(code);
  if (rule === undefined) {
    if ((flags & Flag.Optional) === 0) {
      const message = `well-known attribute ${code} is not recognized`;
      return fault("session-reset", UpdateError.UnknownWellKnown, message, bytes.slice(at, end));
    }
    unknown.push({ flags: flags & ~Flag.ExtendedLength, code, value: bytes.slice(valueAt, end) });
    return {};
  }
  if (code === AttributeCode.MpReach) {
    const mpReach = decodeMpReach(bytes, valueAt, end, session);
    return mpReach instanceof Fault ? mpReach : { mpReach };
  }
  if (code === AttributeCode.MpUnreach) {
    const mpUnreach = decodeMpUnreach(bytes, valueAt, end, session);
    return mpUnreach instanceof Fault ? mpUnreach : { mpUnreach };
  }
  const found = decodeAttributeValue(code, bytes, valueAt, end, session);
  if (!("words" in found)) return found;
  return fault(costOf(rule, session), found.subcode, `${rule.name}: ${found.words}`, bytes.slice(at, end));
}

function costOf(rule: AttributeRule, session: WireSession): FaultAction {
  return rule.internalOnly && session.external ? "attribute-discard" : rule.onMalformed;
}

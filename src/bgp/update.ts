/**
 * The UPDATE message (RFC 4271 §4.3), and what becomes of it when it is malformed (RFC 7606).
 *
 *     | withdrawn length (2) | withdrawn prefixes | attributes length (2) | attributes | prefixes ... |
 *
 * A decoded update is already what it is to be treated as: after `treat-as-withdraw` its announced prefixes are among the
 * withdrawn ones, after `attribute-discard` the attribute is gone, after `afi-safi-disable` only the rest is left.
 */
import { type DecodedAttributes, decodeAttributes } from "./attribute-decode.ts";
import { encodeAttributes } from "./attribute-encode.ts";
import { ATTRIBUTE_RULES, AttributeCode } from "./attribute-table.ts";
import { ErrorCode, Fault, gravest, reset, UpdateError } from "./fault.ts";
import {
  HEADER_BYTES,
  type MpUnreach,
  NO_ATTRIBUTES,
  type PathAttributes,
  type Update,
  type WireSession,
} from "./message.ts";
import { decodeIpv4Nlri, encodeIpv4Nlri, type Ipv4Nlri, type Ipv6Nlri, NO_IPV4_NLRI } from "./nlri.ts";
import { type OctetWriter, readU16 } from "./octets.ts";

interface DecodedUpdate {
  /** `null` only when the session is to be reset. */
  readonly message: Update | null;
  readonly faults: readonly Fault[];
}

/** Reads a whole message whose header was checked and whose length is at least 23. */
export function decodeUpdate(bytes: Uint8Array, session: WireSession): DecodedUpdate {
  const end = bytes.length;
  const withdrawnAt = HEADER_BYTES + 2;
  const withdrawnEnd = withdrawnAt + readU16(bytes, HEADER_BYTES);
  if (withdrawnEnd + 2 > end) return failed(UpdateError.AttributeList, "the withdrawn routes overrun the message");
  const attributesAt = withdrawnEnd + 2;
  const attributesEnd = attributesAt + readU16(bytes, withdrawnEnd);
  if (attributesEnd > end) return failed(UpdateError.AttributeList, "the path attributes overrun the message");
  const withdrawn = decodeIpv4Nlri(bytes, withdrawnAt, withdrawnEnd, session.addPathIpv4);
  if (typeof withdrawn === "string") return failed(UpdateError.Network, `withdrawn routes: ${withdrawn}`);
  const nlri = decodeIpv4Nlri(bytes, attributesEnd, end, session.addPathIpv4);
  if (typeof nlri === "string") return failed(UpdateError.Network, `announced routes: ${nlri}`);

  const decoded = decodeAttributes(bytes, attributesAt, attributesEnd, session);
  const faults = [...decoded.faults, ...missingAttributes(decoded, nlri)];
  const worst = gravest(faults);
  const update: Update = { type: "UPDATE", withdrawn, attributes: decoded.attributes, nlri };
  switch (worst?.action) {
    case undefined:
    case "attribute-discard":
      return { message: update, faults };
    case "session-reset":
      return { message: null, faults };
    case "afi-safi-disable":
      return {
        message: faults.some((one) => one.action === "treat-as-withdraw") ? withdrawing(update) : update,
        faults,
      };
    case "treat-as-withdraw":
      // RFC 7606 §5.2: with no prefix to withdraw, the prefixes may be what was lost.
      if (nlri.keys.length === 0 && decoded.attributes.mpReach === null) {
        return {
          message: null,
          faults: [new Fault("session-reset", worst.code, worst.subcode, worst.message, worst.data)],
        };
      }
      return { message: withdrawing(update), faults };
  }
}

function failed(subcode: number, message: string): DecodedUpdate {
  return { message: null, faults: [reset(ErrorCode.Update, subcode, message)] };
}

/** RFC 7606 §3 d: what must be present beside announced prefixes. */
function missingAttributes({ attributes, present }: DecodedAttributes, nlri: Ipv4Nlri): Fault[] {
  const required: number[] = [];
  if (nlri.keys.length > 0 || attributes.mpReach !== null) required.push(AttributeCode.Origin, AttributeCode.AsPath);
  if (nlri.keys.length > 0) required.push(AttributeCode.NextHop);
  return required
    .filter((code) => !present.has(code))
    .map((code) => {
      const message = `${ATTRIBUTE_RULES.get(code)!.name} is missing`;
      return new Fault(
        "treat-as-withdraw",
        ErrorCode.Update,
        UpdateError.MissingWellKnown,
        message,
        Uint8Array.of(code),
      );
    });
}

function withdrawing(update: Update): Update {
  const attributes: PathAttributes = { ...NO_ATTRIBUTES, mpUnreach: mergedUnreach(update.attributes) };
  return { type: "UPDATE", withdrawn: joinIpv4(update.withdrawn, update.nlri), attributes, nlri: NO_IPV4_NLRI };
}

function mergedUnreach({ mpReach, mpUnreach }: PathAttributes): MpUnreach | null {
  if (mpReach === null) return mpUnreach;
  if (mpReach.family === "other") return mpUnreach ?? { ...mpReach, value: new Uint8Array(0) };
  if (mpReach.family === "ipv4") {
    const earlier = mpUnreach?.family === "ipv4" ? mpUnreach.nlri : null;
    return { family: "ipv4", nlri: earlier === null ? mpReach.nlri : joinIpv4(earlier, mpReach.nlri) };
  }
  const earlier = mpUnreach?.family === "ipv6" ? mpUnreach.nlri : null;
  return { family: "ipv6", nlri: earlier === null ? mpReach.nlri : joinIpv6(earlier, mpReach.nlri) };
}

function joinIpv4(left: Ipv4Nlri, right: Ipv4Nlri): Ipv4Nlri {
  return { keys: [...left.keys, ...right.keys], pathIds: joinPathIds(left.pathIds, right.pathIds) };
}

function joinIpv6(left: Ipv6Nlri, right: Ipv6Nlri): Ipv6Nlri {
  return { prefixes: [...left.prefixes, ...right.prefixes], pathIds: joinPathIds(left.pathIds, right.pathIds) };
}

function joinPathIds(left: readonly number[] | null, right: readonly number[] | null): readonly number[] | null {
  return left === null && right === null ? null : [...(left ?? []), ...(right ?? [])];
}

export function encodeUpdate(writer: OctetWriter, update: Update, session: WireSession): void {
  const withdrawnAt = writer.length;
  writer.u16(0);
  encodeIpv4Nlri(writer, update.withdrawn);
  writer.patchU16(withdrawnAt, writer.length - withdrawnAt - 2);
  const attributesAt = writer.length;
  writer.u16(0);
  encodeAttributes(writer, update.attributes, session);
  writer.patchU16(attributesAt, writer.length - attributesAt - 2);
  encodeIpv4Nlri(writer, update.nlri);
}

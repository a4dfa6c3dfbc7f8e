/**
 * The order and flags of the attributes of one UPDATE: the usual ones that we write, and those of a message that came
 * otherwise, kept so that it can be written again octet by octet.
 *
 * Usual is ascending order of type (RFC 4271 §5), with MP_REACH_NLRI and MP_UNREACH_NLRI first as RFC 7606 §5.1 asks: a
 * receiver then finds the prefixes even when a later attribute is bad. The Extended Length flag is set when needed.
 */
import { ATTRIBUTE_RULES, AttributeCode, Flag } from "./attribute-table.ts";

export interface EncodedAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

/** Follows a decoder through the attributes of a message. */
export class LayoutRecorder {
  readonly #heads: number[] = [];
  #usual = true;
  #lastRank = -1;

  note(flags: number, code: number, valueBytes: number): void {
    const rank = rankOf(code);
    const required = ATTRIBUTE_RULES.get(code)?.flags ?? flags & ~Flag.ExtendedLength;
    if (rank < this.#lastRank || flags !== withLength(required, valueBytes)) this.#usual = false;
    this.#lastRank = rank;
    this.#heads.push(flags * 256 + code);
  }

  /** `null` when there is nothing unusual to remember. */
  layout(): readonly number[] | null {
    return this.#usual ? null : this.#heads;
  }
}

/** Puts attributes that are in usual order into the order and flags of `layout`; what it does not name stays last. */
export function arrange(attributes: readonly EncodedAttribute[], layout: readonly number[]): EncodedAttribute[] {
  const rest = [...attributes];
  const arranged: EncodedAttribute[] = [];
  for (const head of layout) {
    const at = rest.findIndex((attribute) => attribute.code === (head & 0xff));
    if (at < 0) continue;
    const { code, value } = rest[at]!;
    rest.splice(at, 1);
    arranged.push({ flags: head >>> 8, code, value });
  }
  return [...arranged, ...rest];
}

/** The flags with Extended Length set if the value needs it; a flag that was set anyway stays. */
export function withLength(flags: number, valueBytes: number): number {
  return valueBytes > 255 ? flags | Flag.ExtendedLength : flags;
}

function rankOf(code: number): number {
  if (code === AttributeCode.MpReach) return 0;
  if (code === AttributeCode.MpUnreach) return 1;
  return ATTRIBUTE_RULES.has(code) ? 2 + code : 1000;
}

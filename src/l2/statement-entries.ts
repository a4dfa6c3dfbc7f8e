/**
 * What a statement says, entry by entry: kind 8, then
 *
 *   claim      address, term 32, flags 8        refused, poor, unseen   address
 *   handover   address, term 32, flags 8, name  MAC                     48 bits
 *
 * Pure. The fields are those of message-fields.ts.
 */
import { EMPTY_STATEMENT, type Statement } from "./heartbeat.ts";
import type { FieldReader, FieldWriter } from "./message-fields.ts";

const KIND_CLAIM = 1;
const KIND_HANDOVER = 2;
const KIND_REFUSED = 3;
const KIND_POOR = 4;
const KIND_MAC = 5;
const KIND_UNSEEN = 6;
const WEAK = 1;
const PINNED = 2;

/** Each by itself, so that they can be spread; always in the same order for the same statement. */
export function statementEntries(statement: Statement, out: FieldWriter): Uint8Array[] {
  const { claims, handovers, refused, poor, macs, unseen } = statement;
  const entry = (kind: number, fill: () => void): Uint8Array => {
    out.u8(kind);
    fill();
    return out.take().slice();
  };
  return [
    ...claims.map(({ vip, term, weak, pinned }) =>
      entry(KIND_CLAIM, () => {
        out.address(vip);
        out.u32(term);
        out.u8((weak ? WEAK : 0) | (pinned ? PINNED : 0));
      }),
    ),
    ...handovers.map(({ vip, term, to, pinned }) =>
      entry(KIND_HANDOVER, () => {
        out.address(vip);
        out.u32(term);
        out.u8(pinned ? PINNED : 0);
        out.name(to);
      }),
    ),
    ...refused.map((vip) => entry(KIND_REFUSED, () => out.address(vip))),
    ...poor.map((vip) => entry(KIND_POOR, () => out.address(vip))),
    ...unseen.map((vip) => entry(KIND_UNSEEN, () => out.address(vip))),
    ...macs.map((mac) => entry(KIND_MAC, () => out.u48(mac))),
  ];
}

/** Count 16, and so many entries. @throws a `RangeError` where they are not well formed. */
export function readStatement(reader: FieldReader): Statement {
  let count = reader.u16();
  if (count === 0) return EMPTY_STATEMENT;
  const statement = {
    claims: [] as Statement["claims"][number][],
    handovers: [] as Statement["handovers"][number][],
    refused: [] as string[],
    poor: [] as string[],
    macs: [] as number[],
    unseen: [] as string[],
  };
  for (; count > 0; count--) {
    const kind = reader.u8();
    if (kind === KIND_MAC) {
      statement.macs.push(reader.u48());
      continue;
    }
    const vip = reader.address();
    if (kind === KIND_REFUSED) statement.refused.push(vip);
    else if (kind === KIND_POOR) statement.poor.push(vip);
    else if (kind === KIND_UNSEEN) statement.unseen.push(vip);
    else {
      const term = reader.u32();
      const flags = reader.u8();
      const pinned = (flags & PINNED) !== 0;
      if (kind === KIND_CLAIM) statement.claims.push({ vip, term, weak: (flags & WEAK) !== 0, pinned });
      else if (kind === KIND_HANDOVER) statement.handovers.push({ vip, term, to: reader.name(), pinned });
      else throw new RangeError("an entry of an unknown kind");
    }
  }
  return statement;
}

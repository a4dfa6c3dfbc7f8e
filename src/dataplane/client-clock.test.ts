import fc from "fast-check";
import { expect, it } from "vitest";
import { isAhead, NO_CLOCK } from "./client-clock.ts";

const UNIT = 2 ** 24;
/** The clock of a connection whose first timestamp is `timestamp` at `milliseconds` of our clock. */
const clockOf = (timestamp: number, milliseconds: number) => ((timestamp - milliseconds) >>> 0) >>> 24 || 1;

it("a connection is ahead of another only if its timestamps are later than all that the other has shown", () => {
  const uint32 = fc.nat(0xffffffff);
  const minutes = fc.nat(240_000);
  fc.assert(
    fc.property(uint32, uint32, fc.nat(2 ** 40), minutes, minutes, (first, second, start, lasted, waited) => {
      const before = clockOf(first, start);
      const after = clockOf(second, start + lasted + waited);
      // As the backend compares: 32 bits, signed (RFC 7323 §5.3).
      const isLater = ((second - (first + lasted)) | 0) > 0;
      if (isAhead(after, before)) expect(isLater).toBe(true);
      const surplus = (second - (first + lasted)) >>> 0;
      if (surplus > 4 * UNIT && surplus < 2 ** 31 - 4 * UNIT) expect(isAhead(after, before)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it("nothing is known of what has no clock", () => {
  expect(isAhead(NO_CLOCK, 5)).toBe(false);
  expect(isAhead(50, NO_CLOCK)).toBe(false);
});

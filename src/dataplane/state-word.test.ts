import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ageSeconds,
  STATE_CLOSED_FIRST,
  STATE_FLAGS,
  STATE_POLICY_SHIFT,
  STATE_WATCHED,
  stateOfNewRow,
} from "./state-word.ts";

const second = fc.integer({ min: 0, max: 2 ** 27 });

test("a flow's age is what has passed since its rows were claimed, whatever else the words say", () => {
  fc.assert(
    fc.property(second, second, fc.integer(), fc.integer({ min: 0, max: 31 }), (opened, seconds, flags, policy) => {
      const noise = (flags & (STATE_FLAGS | STATE_CLOSED_FIRST | STATE_WATCHED)) | (policy << STATE_POLICY_SHIFT);
      const [request, reply] = [stateOfNewRow(opened, false) | noise, stateOfNewRow(opened, true) | noise];
      expect(ageSeconds(request, reply, opened + seconds)).toBe(seconds);
    }),
  );
});

test("without a row for its replies it is exact for four and a half hours", () => {
  fc.assert(
    fc.property(second, fc.integer({ min: 0, max: 4.5 * 3600 }), (opened, seconds) => {
      expect(ageSeconds(stateOfNewRow(opened, false), null, opened + seconds)).toBe(seconds);
    }),
  );
});

test("a new row has shown nothing", () => {
  fc.assert(
    fc.property(second, fc.boolean(), (now, isReply) => {
      expect(stateOfNewRow(now, isReply) & (STATE_FLAGS | STATE_CLOSED_FIRST | STATE_WATCHED)).toBe(0);
      expect(stateOfNewRow(now, isReply) >>> STATE_POLICY_SHIFT).toBe(0);
    }),
  );
});

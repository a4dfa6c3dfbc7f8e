import fc from "fast-check";
import { expect, test } from "vitest";
import { addressWords } from "../dataplane/address-hash.ts";
import type { FlowAddress } from "./define-policy.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** By its number; clients of one hash share a set of eight places. */
function client(number: number, hash = number * 0x01000193): FlowAddress {
  const words = addressWords({ family: 4, value: 0xc0000200n + BigInt(number) });
  return { words, at: 0, hash: hash >>> 1, isIpv4: true };
}

function bucketsOf(clients: number, perSecond: number, burst: number) {
  const clock = new Float64Array([1e9]);
  const memory = new Int32Array(new SharedArrayBuffer(4 * TokenBuckets.memoryWords(clients)));
  const buckets = new TokenBuckets(memory, perSecond, burst, clock);
  return { buckets, memory, pass: (milliseconds: number) => (clock[0]! += milliseconds * 1e6) };
}

test("each client has what a bucket of its own would give it", () => {
  const step = fc.record({ client: fc.nat(7), milliseconds: fc.nat(400) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (steps, perSecond) => {
      const burst = 3;
      const { buckets, pass } = bucketsOf(64, perSecond, burst);
      const levels = new Map<number, { spent: number; since: number }>();
      let now = 1000;
      for (const { client: number, milliseconds } of steps) {
        now += milliseconds;
        pass(milliseconds);
        const level = levels.get(number) ?? { spent: 0, since: now };
        // In thousandths, as many in a millisecond as whole ones in a second.
        const spent = Math.max(0, level.spent - (now - level.since) * perSecond);
        const isAllowed = spent + 1000 <= burst * 1000;
        levels.set(number, { spent: isAllowed ? spent + 1000 : spent, since: now });
        expect(buckets.take(client(number))).toBe(isAllowed);
      }
    }),
  );
});

test("workers share the buckets", () => {
  const { buckets, memory } = bucketsOf(64, 1, 2);
  const other = new TokenBuckets(memory, 1, 2, new Float64Array([1e9]));
  expect([buckets.take(client(1)), other.take(client(1)), buckets.take(client(1)), other.take(client(1))]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("whoever was not seen for longest gives way, and begins anew", () => {
  const { buckets } = bucketsOf(8, 1, 1);
  const SAME_HASH = 4;
  for (let number = 0; number < 8; number++) buckets.take(client(number, SAME_HASH));
  // Seen again, though in vain: the next to go is client 1.
  expect(buckets.take(client(0, SAME_HASH))).toBe(false);
  expect(buckets.take(client(8, SAME_HASH))).toBe(true);
  expect(buckets.take(client(0, SAME_HASH))).toBe(false);
  expect(buckets.take(client(1, SAME_HASH))).toBe(true);
});

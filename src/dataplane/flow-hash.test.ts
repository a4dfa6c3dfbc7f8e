import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flowHash, flowHash6 } from "./flow-hash.ts";

const MASK = 0xffffffffn;
const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (32n - bits))) & MASK;

/** HalfSipHash-1-3 as the paper says it, slowly, over bytes. */
function slowTwin(k0: number, k1: number, message: Uint8Array): number {
  const key = [BigInt(k0 >>> 0), BigInt(k1 >>> 0)] as const;
  let [v0, v1, v2, v3] = [key[0], key[1], 0x6c796765n ^ key[0], 0x74656462n ^ key[1]];
  const round = () => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 5n) ^ v0;
    v0 = rotate(v0, 16n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 8n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 7n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v2;
    v2 = rotate(v2, 16n);
  };
  const absorb = (block: bigint) => {
    v3 ^= block;
    round();
    v0 ^= block;
  };
  const whole = message.length - (message.length % 4);
  const view = new DataView(message.buffer);
  for (let at = 0; at < whole; at += 4) absorb(BigInt(view.getUint32(at, true)));
  let last = BigInt(message.length & 0xff) << 24n;
  for (let at = whole; at < message.length; at++) last |= BigInt(message[at]!) << BigInt(8 * (at - whole));
  absorb(last);
  v2 ^= 0xffn;
  for (let finalRound = 0; finalRound < 3; finalRound++) round();
  return Number(v1 ^ v3) | 0;
}

describe("the flow hash", () => {
  it("is HalfSipHash-1-3 of the 13 bytes of the key", () => {
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
    fc.assert(
      fc.property(
        word,
        word,
        word,
        word,
        word,
        fc.integer({ min: 0, max: 255 }),
        (k0, k1, source, destination, ports, protocol) => {
          const message = new Uint8Array(13);
          const view = new DataView(message.buffer);
          view.setInt32(0, source, true);
          view.setInt32(4, destination, true);
          view.setInt32(8, ports, true);
          view.setUint8(12, protocol);
          expect(flowHash(k0, k1, source, destination, ports, protocol)).toBe(slowTwin(k0, k1, message));
        },
      ),
    );
  });

  it("is the same function over the 37 bytes of an IPv6 key", () => {
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
    const words = fc.array(word, { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(word, word, words, fc.integer({ min: 0, max: 255 }), (k0, k1, key, protocol) => {
        const message = new Uint8Array(37);
        const view = new DataView(message.buffer);
        key.forEach((value, index) => {
          view.setInt32(4 * index, value, true);
        });
        view.setUint8(36, protocol);
        expect(flowHash6(k0, k1, Int32Array.of(99, ...key), 1, protocol)).toBe(slowTwin(k0, k1, message));
      }),
    );
  });
});

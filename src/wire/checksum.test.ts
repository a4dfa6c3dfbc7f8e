import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyDelta, delta32, fold, sumBytes } from "./checksum.ts";

describe("checksum deltas", () => {
  it("give what a full sum gives, whatever words change (RFC 1624)", () => {
    const bytes = fc.uint8Array({ minLength: 20, maxLength: 60 });
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
    fc.assert(
      fc.property(bytes, word, word, (packet, first, second) => {
        const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
        // Never all zero: a real header isn't, and 0 has two spellings in ones' complement.
        view.setUint8(19, 0x45);
        const before = ~sumBytes(view, 0, packet.length) & 0xffff;
        const delta = fold(delta32(view.getInt32(0, true), first) + delta32(view.getInt32(8, true), second));
        view.setInt32(0, first, true);
        view.setInt32(8, second, true);
        expect(applyDelta(before, delta)).toBe(~sumBytes(view, 0, packet.length) & 0xffff);
      }),
    );
  });

  it("sum an odd number of bytes as if a zero followed", () => {
    const odd = new DataView(Uint8Array.of(1, 2, 3).buffer);
    const even = new DataView(Uint8Array.of(1, 2, 3, 0).buffer);
    expect(sumBytes(odd, 0, 3)).toBe(sumBytes(even, 0, 4));
  });
});

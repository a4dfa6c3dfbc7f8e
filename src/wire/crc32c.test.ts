import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../test/fixtures/sctp.ts";
import { updateCrc32c } from "./crc32c.ts";

describe("the CRC32c of a packet whose ports change", () => {
  it("is what the whole packet gives, computed anew", () => {
    const packet = fc.uint8Array({ minLength: 4, maxLength: 1500 });
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
    fc.assert(
      fc.property(packet, word, (bytes, ports) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const before = crc32c(bytes);
        const from = view.getInt32(0, true);
        view.setInt32(0, ports, true);
        expect(updateCrc32c(before, from, ports, bytes.length)).toBe(crc32c(bytes));
      }),
    );
  });

  it("stays as wrong as it was: the same bits differ after the change", () => {
    expect(updateCrc32c(0x1234 ^ 0x80, 1, 2, 100) ^ updateCrc32c(0x1234, 1, 2, 100)).toBe(0x80);
  });

  it("is the check value of the RFC 3720 vector with its first word restored", () => {
    // 32 bytes of zero: aa 36 91 8a, with the first word set to all ones and back.
    const zeros = new Uint8Array(32);
    const ones = Uint8Array.from(zeros).fill(255, 0, 4);
    expect(updateCrc32c(crc32c(ones), -1, 0, 32)).toBe(0x8a9136aa | 0);
  });
});

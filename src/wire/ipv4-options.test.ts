import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keepCopiedOptions, loadOptions, newOptions, storeOptions } from "./ipv4-options.ts";

const NOP = 1;

/** A header with options, and no more of a packet. */
const header = (options: readonly number[]) => new DataView(Uint8Array.of(...Array(20).fill(0x45), ...options).buffer);
const optionsOf = (view: DataView) => [...new Uint8Array(view.buffer, 20)];

function kept(options: readonly number[]): number[] {
  const view = header(options);
  keepCopiedOptions(view, 0, view.byteLength);
  return optionsOf(view);
}

describe("the options of a fragment behind the first", () => {
  it("are those that are copied, in their places", () => {
    const recordRoute = [7, 4, 4, 0];
    const security = [130, 4, 0xaa, 0xbb];
    expect(kept([...recordRoute, ...security])).toEqual([NOP, NOP, NOP, NOP, ...security]);
    expect(kept([...security, NOP, ...recordRoute, 0, 0, 0])).toEqual([...security, ...Array(5).fill(NOP), 0, 0, 0]);
  });

  it("end before one that is none", () => {
    expect(kept([130, 1, 0, 0])).toEqual([NOP, NOP, NOP, NOP]);
    expect(kept([130, 9, 0, 0])).toEqual([NOP, NOP, NOP, NOP]);
    expect(kept([NOP, NOP, NOP, 130])).toEqual([NOP, NOP, NOP, NOP]);
  });

  it("are found whatever bytes they are, and can be put back", () => {
    const words = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 10 });
    fc.assert(
      fc.property(words, (bytes) => {
        const options = bytes.flatMap((byte) => [byte, 2, byte ^ 0x80, 3]);
        const view = header(options);
        const saved = newOptions();
        loadOptions(view, 0, view.byteLength, saved);
        keepCopiedOptions(view, 0, view.byteLength);
        storeOptions(view, 0, view.byteLength, saved);
        expect(optionsOf(view)).toEqual(options);
      }),
    );
  });
});

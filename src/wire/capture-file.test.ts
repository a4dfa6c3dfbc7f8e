import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CaptureError, type FrameToWrite } from "./capture-file.ts";
import { isPcap, readPcap, writePcap } from "./pcap.ts";
import { isPcapng, readPcapng, writePcapng } from "./pcapng.ts";

const FRAMES: readonly FrameToWrite[] = [
  { interface: 0, timestampSeconds: 1_795_000_000.123456, bytes: Uint8Array.of(1, 2, 3), comment: "tx" },
  { interface: 1, timestampSeconds: 1_795_000_001, bytes: new Uint8Array(60).fill(7) },
];
const NAMES = ["net0", "lan0"];

test("what is written as pcapng is read again: interfaces, times, bytes of any length", () => {
  const file = readPcapng(writePcapng(NAMES, FRAMES));
  expect(file.cutShort).toBeNull();
  expect(file.interfaces).toEqual(NAMES.map((name) => ({ name, linkType: 1 })));
  expect(file.frames).toEqual(
    FRAMES.map(({ comment, bytes, ...frame }) => ({ ...frame, bytes, lengthBytes: bytes.length })),
  );
});

test("what is written as pcap is read again, but for the interfaces", () => {
  const file = readPcap(writePcap(FRAMES));
  expect(file.interfaces).toEqual([{ name: null, linkType: 1 }]);
  expect(file.frames.map(({ bytes, timestampSeconds }) => ({ bytes, timestampSeconds }))).toEqual(
    FRAMES.map(({ bytes, timestampSeconds }) => ({ bytes, timestampSeconds })),
  );
});

test("a pcap file of the other byte order and with nanoseconds is read", () => {
  const words = [0xa1b23c4d, 0x00020004, 0, 0, 65535, 1, 10, 500_000_000, 2, 64];
  const file = new Uint8Array(words.length * 4 + 2);
  words.forEach((word, index) => {
    new DataView(file.buffer).setUint32(index * 4, word, false);
  });
  file.set([0xaa, 0xbb], words.length * 4);
  expect(readPcap(file).frames).toEqual([
    { interface: 0, timestampSeconds: 10.5, bytes: Uint8Array.of(0xaa, 0xbb), lengthBytes: 64 },
  ]);
});

test("a pcapng file of two sections has the interfaces of both, and its packets find their own", () => {
  const one = writePcapng(["a"], [{ interface: 0, timestampSeconds: 1, bytes: Uint8Array.of(1) }]);
  const two = writePcapng(["b"], [{ interface: 0, timestampSeconds: 2, bytes: Uint8Array.of(2) }]);
  const file = readPcapng(Uint8Array.from([...one, ...two]));
  expect(file.frames.map((frame) => file.interfaces[frame.interface]!.name)).toEqual(["a", "b"]);
});

describe.each([
  { format: "pcap", file: writePcap(FRAMES), is: isPcap, read: readPcap },
  { format: "pcapng", file: writePcapng(NAMES, FRAMES), is: isPcapng, read: readPcapng },
])("$format", ({ file, is, read }) => {
  test("is told by its first bytes", () => {
    expect([is(file), is(Uint8Array.of(1, 2, 3, 4, 5)), is(new Uint8Array(0))]).toEqual([true, false, false]);
    expect(() => read(Uint8Array.of(1, 2, 3, 4, 5))).toThrow(CaptureError);
  });

  test("a file that was cut gives what came before, and says so", () => {
    const cut = read(file.subarray(0, file.length - 5));
    expect(cut.frames).toHaveLength(1);
    expect(cut.cutShort).toMatch(/^the file ends in /);
  });

  test("damage anywhere gives frames or a CaptureError, never anything else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const damaged = file.slice();
          for (const [at, value] of changes) damaged[at] = value;
          try {
            read(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(CaptureError);
          }
        },
      ),
    );
  });
});

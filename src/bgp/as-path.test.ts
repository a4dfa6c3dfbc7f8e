import { expect, test } from "vitest";
import { decodeAsPath, effectiveAsPath, encodeAsPath, pathLength, sequence } from "./as-path.ts";
import { type AsSegment, NO_ATTRIBUTES } from "./message.ts";
import { OctetWriter } from "./octets.ts";

const set = (...asns: number[]): AsSegment => ({ kind: "set", asns });
const merged = (asPath: readonly AsSegment[], as4Path: readonly AsSegment[]) =>
  effectiveAsPath({ ...NO_ATTRIBUTES, asPath, as4Path });

test("hops that an old speaker added stay in front of what AS4_PATH tells", () => {
  expect(merged(sequence([100, 23456, 23456]), sequence([70000, 80000]))).toEqual([
    { kind: "sequence", asns: [100] },
    { kind: "sequence", asns: [70000, 80000] },
  ]);
});

test("an AS4_PATH that is longer than AS_PATH is ignored", () => {
  expect(merged(sequence([100]), sequence([70000, 80000]))).toEqual(sequence([100]));
});

test("a set counts as one hop", () => {
  expect(pathLength([...sequence([1, 2]), set(3, 4, 5)])).toBe(3);
  expect(merged([...sequence([1, 2]), set(3, 4)], [set(70000, 4)])).toEqual([...sequence([1, 2]), set(70000, 4)]);
});

test("more than 255 hops take several segments", () => {
  const asns = Array.from({ length: 600 }, (_, i) => i + 1);
  const writer = new OctetWriter();
  encodeAsPath(writer, sequence(asns), 4);
  const bytes = writer.finish();
  const segments = decodeAsPath(bytes, 0, bytes.length, 4) as AsSegment[];
  expect(segments.map((segment) => segment.asns.length)).toEqual([255, 255, 90]);
  expect(segments.flatMap((segment) => segment.asns)).toEqual(asns);
});

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

test("confederation segments stay where they lead or stand beside a hop that stays", () => {
  const confed = (...asns: number[]): AsSegment => ({ kind: "confed-sequence", asns });
  expect(merged([confed(1), ...sequence([23456])], sequence([70000]))).toEqual([confed(1), ...sequence([70000])]);
  expect(merged([...sequence([100]), confed(1), ...sequence([23456])], sequence([70000]))).toEqual([
    ...sequence([100]),
    confed(1),
    ...sequence([70000]),
  ]);
  expect(merged([...sequence([100, 23456]), confed(1)], sequence([70000]))).toEqual([
    ...sequence([100]),
    ...sequence([70000]),
  ]);
});

test("AS4_PATH is ignored beside an AGGREGATOR of an old speaker's own, and from a speaker of four-octet numbers", () => {
  const attributes = { ...NO_ATTRIBUTES, asPath: sequence([23456]), as4Path: sequence([70000]) };
  const aggregator = { asn: 100, address: 0 as never };
  expect(effectiveAsPath({ ...attributes, aggregator })).toEqual(sequence([23456]));
  expect(effectiveAsPath({ ...attributes, aggregator: { ...aggregator, asn: 23456 } })).toEqual(sequence([70000]));
  expect(effectiveAsPath(attributes, true)).toEqual(sequence([23456]));
});

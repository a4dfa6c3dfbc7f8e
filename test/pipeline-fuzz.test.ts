/**
 * A million frames that nobody sane would send: random bytes, and valid frames of all kinds with bytes flipped and tails
 * cut off. Whatever comes, the pipeline gives a verdict, stays inside the frame and sends nothing with a wrong header.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type FrameBatch, Verdict } from "../src/dataplane/frame-batch.ts";
import { internetChecksum } from "./fixtures/frames.ts";
import { gateway, LAN, WAN } from "./fixtures/gateway.ts";

const RUNS = 1000;
const FRAMES_PER_RUN = 1000;
const BATCH = 50;
const CHUNK = 2048;
const CANARY = 0xa5;
/** Room behind each frame that is watched: an ICMP error is longer than the frame that it answers. */
const WATCHED = 128;

const cases = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8")).cases as {
  input: { frame?: string };
  prior: { frame?: string }[];
}[];
const corpus = cases
  .flatMap(({ input, prior }) => [input, ...prior])
  .flatMap(({ frame }) => (frame ? [Uint8Array.from(frame.match(/../g)!, (octet) => Number.parseInt(octet, 16))] : []))
  .filter((frame) => frame.length <= CHUNK - 64);

it(`survives ${RUNS * FRAMES_PER_RUN} random and mutated frames`, { timeout: 120_000 }, () => {
  const { batch, pipeline, bytes, counters } = gateway(BATCH, BATCH * CHUNK, 1 << 14);
  const ends = new Int32Array(BATCH);
  let now = 100;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const next = xorshift(seed);
      for (let frames = 0; frames < FRAMES_PER_RUN; frames += BATCH) {
        batch.count = BATCH;
        for (let i = 0; i < BATCH; i++) {
          const offset = i * CHUNK + 256 + (next() & 3);
          const frame = mutate(next);
          bytes.set(frame, offset);
          bytes.fill(CANARY, offset - 16, offset);
          bytes.fill(CANARY, offset + frame.length, offset + frame.length + WATCHED);
          ends[i] = offset + frame.length;
          batch.offset[i] = offset;
          batch.length[i] = frame.length;
          batch.port[i] = next() & 1 ? WAN : LAN;
        }
        pipeline.run(now++);
        for (let i = 0; i < BATCH; i++) check(batch, i, bytes, ends[i]!);
      }
    }),
    { numRuns: RUNS },
  );
  const { totals } = counters;
  expect(totals[0]).toBe(RUNS * FRAMES_PER_RUN);
  // The fuzz must reach the deep end as well: some frames are forwarded, some answered, some dropped.
  expect(Math.min(totals[2]!, totals[4]!, totals[5]!, totals[6]!)).toBeGreaterThan(100);
});

function mutate(next: () => number): Uint8Array {
  if ((next() & 15) === 0) return Uint8Array.from({ length: next() % 128 }, () => next() & 255);
  const frame = corpus[next() % corpus.length]!.slice();
  const flips = next() & 3;
  for (let flip = 0; flip < flips; flip++) frame[next() % frame.length] = next() & 255;
  return (next() & 3) === 0 ? frame.subarray(0, next() % (frame.length + 1)) : frame;
}

function check(batch: FrameBatch, i: number, bytes: Uint8Array, previousEnd: number): void {
  const offset = batch.offset[i]!;
  const end = offset + batch.length[i]!;
  for (let at = offset - 16; at < offset; at++) {
    if (bytes[at] !== CANARY) throw new Error("wrote before the frame");
  }
  for (let at = Math.max(end, previousEnd); at < previousEnd + WATCHED; at++) {
    if (bytes[at] !== CANARY) throw new Error("wrote behind the frame");
  }
  if (batch.verdict[i] !== Verdict.Transmit) return;
  if (bytes[offset + 12] === 0x86) return;
  const headerBytes = (bytes[offset + 14]! & 15) * 4;
  if (internetChecksum(bytes.subarray(offset + 14, offset + 14 + headerBytes)) !== 0)
    throw new Error("bad IPv4 checksum sent");
  if (batch.egress[i] !== WAN && batch.egress[i] !== LAN) throw new Error("sent to a port that doesn't exist");
}

/** Marsaglia's xorshift32: fast, and its seed is what fast-check reports. */
function xorshift(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

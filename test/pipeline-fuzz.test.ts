/**
 * A quarter of a million frames that nobody sane would send, ten million with SLUICE_LONG=1: random bytes, and valid frames of all kinds
 * with bytes flipped and tails cut off. Whatever comes, the pipeline gives a verdict, stays inside the frame, keeps no
 * memory, and sends nothing that a strict reader, or tshark, would call malformed; a sum that was right stays right.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FrameBatch, Verdict } from "../src/dataplane/frame-batch.ts";
import { writePcap } from "../src/wire/pcap.ts";
import { internetChecksum } from "./fixtures/frames.ts";
import { gateway, LAN, WAN } from "./fixtures/gateway.ts";
import { readStrictly } from "./fixtures/strict-frame.ts";

const RUNS = process.env["SLUICE_LONG"] === "1" ? 10_000 : 250;
const FRAMES_PER_RUN = 1000;
const BATCH = 50;
const CHUNK = 2048;
const CANARY = 0xa5;
/** Room behind each frame that is watched: an ICMP error is longer than the frame that it answers. */
const WATCHED = 128;
/** Of what is sent, for tshark. */
const SAMPLE = 5000;
/** The heap may grow by what the test itself keeps, and no more, however many frames there are. */
const MAX_GROWTH_BYTES = 48 << 20;

const cases = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8")).cases as {
  input: { frame?: string };
  prior: { frame?: string }[];
}[];
const corpus = cases
  .flatMap(({ input, prior }) => [input, ...prior])
  .flatMap(({ frame }) => (frame ? [Uint8Array.from(frame.match(/../g)!, (octet) => Number.parseInt(octet, 16))] : []))
  .filter((frame) => frame.length <= CHUNK - 64);

const sample: Uint8Array[] = [];

describe("the pipeline under fire", () => {
  it(`survives ${RUNS * FRAMES_PER_RUN} random and mutated frames`, { timeout: 1_200_000 }, () => {
    const { batch, pipeline, bytes, counters } = gateway(BATCH, BATCH * CHUNK, 1 << 14);
    const inputs: Uint8Array[] = [];
    let now = 100;
    let sent = 0;
    let heapBefore = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const next = xorshift(seed);
        for (let frames = 0; frames < FRAMES_PER_RUN; frames += BATCH) {
          batch.count = BATCH;
          for (let i = 0; i < BATCH; i++) {
            const offset = i * CHUNK + 256 + (next() & 3);
            const frame = mutate(next);
            inputs[i] = frame;
            bytes.set(frame, offset);
            bytes.fill(CANARY, offset - 16, offset);
            bytes.fill(CANARY, offset + frame.length, offset + frame.length + WATCHED);
            batch.offset[i] = offset;
            batch.length[i] = frame.length;
            batch.port[i] = next() & 1 ? WAN : LAN;
          }
          const offsets = batch.offset.slice();
          pipeline.run(now++);
          for (let i = 0; i < BATCH; i++) {
            if (!check(batch, i, bytes, offsets[i]! + inputs[i]!.length, inputs[i]!)) continue;
            // Every so often one, over the whole of the run.
            if (sent++ % (RUNS / 10) === 0 && sample.length < SAMPLE) {
              sample.push(withoutSendersOptions(sentFrame(batch, i, bytes).slice(), inputs[i]!));
            }
          }
        }
        // The first tenth fills the caches of the runtime itself.
        if (now > 100 + (RUNS * FRAMES_PER_RUN) / BATCH / 10 && heapBefore === 0) {
          heapBefore = process.memoryUsage().heapUsed + process.memoryUsage().external;
        }
      }),
      { numRuns: RUNS },
    );
    const { totals } = counters;
    expect(totals[0]).toBe(RUNS * FRAMES_PER_RUN);
    // The fuzz must reach the deep end as well: some frames are forwarded, some answered, some dropped.
    expect(Math.min(totals[2]!, totals[4]!, totals[5]!, totals[6]!)).toBeGreaterThan(100);
    const { heapUsed, external } = process.memoryUsage();
    expect(heapUsed + external - heapBefore).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it("sends nothing that tshark would call malformed", { timeout: 120_000 }, ({ skip }) => {
    if (spawnSync("tshark", ["--version"]).error !== undefined) skip("tshark is not installed (scripts/setup.sh test)");
    expect(sample.length).toBeGreaterThan(1000);
    const folder = mkdtempSync(join(tmpdir(), "sluice-fuzz-"));
    try {
      const file = join(folder, "sent.pcap");
      writeFileSync(
        file,
        writePcap(sample.map((bytes, second) => ({ interface: 0, timestampSeconds: second, bytes }))),
      );
      // Payloads are noise, SCTP's chunks and TCP's options among them: what we have written ends with the transport header.
      const noise = ["tcp", "udp"].flatMap((protocol) => ["-d", `${protocol}.port==0-65535,data`]);
      const args = ["-n", "-r", file, ...noise, "-Y", "_ws.malformed && !sctp", "-T", "fields", "-e", "frame.number"];
      const { stdout, status, stderr } = spawnSync("tshark", args, { encoding: "utf8" });
      expect(status, stderr).toBe(0);
      const malformed = stdout.split("\n").filter((line) => line !== "");
      expect(malformed.map((line) => Buffer.from(sample[Number(line) - 1]!).toString("hex"))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function mutate(next: () => number): Uint8Array {
  if ((next() & 15) === 0) return Uint8Array.from({ length: next() % 128 }, () => next() & 255);
  const frame = corpus[next() % corpus.length]!.slice();
  const flips = next() & 3;
  for (let flip = 0; flip < flips; flip++) frame[next() % frame.length] = next() & 255;
  // Half of what was changed gets behind the first check.
  if (flips > 0 && (next() & 1) === 0) repairHeader(frame);
  return (next() & 3) === 0 ? frame.subarray(0, next() % (frame.length + 1)) : frame;
}

/** Gives an IPv4 header the checksum that it should have. */
function repairHeader(frame: Uint8Array): void {
  const headerBytes = (frame[14]! & 15) * 4;
  if (frame[12] !== 8 || frame[13] !== 0 || headerBytes < 20 || frame.length < 14 + headerBytes) return;
  frame.fill(0, 24, 26);
  const checksum = internetChecksum(frame.subarray(14, 14 + headerBytes));
  frame[24] = checksum >> 8;
  frame[25] = checksum & 255;
}

function sentFrame(batch: FrameBatch, i: number, bytes: Uint8Array): Uint8Array {
  return bytes.subarray(batch.offset[i], batch.offset[i]! + batch.length[i]!);
}

/** @returns whether the frame was sent. */
function check(batch: FrameBatch, i: number, bytes: Uint8Array, previousEnd: number, input: Uint8Array): boolean {
  const offset = batch.offset[i]!;
  const end = offset + batch.length[i]!;
  for (let at = offset - 16; at < offset; at++) {
    if (bytes[at] !== CANARY) throw new Error("wrote before the frame");
  }
  for (let at = Math.max(end, previousEnd); at < previousEnd + WATCHED; at++) {
    if (bytes[at] !== CANARY) throw new Error("wrote behind the frame");
  }
  const verdict = batch.verdict[i];
  if (verdict !== Verdict.Transmit && verdict !== Verdict.Reply) return false;
  if (batch.egress[i] !== WAN && batch.egress[i] !== LAN) throw new Error("sent to a port that doesn't exist");
  const { fault, checksum } = readStrictly(sentFrame(batch, i, bytes));
  const hex = () =>
    `${Buffer.from(sentFrame(batch, i, bytes)).toString("hex")} for ${Buffer.from(input).toString("hex")}`;
  if (fault !== null) throw new Error(`sent a frame with a bad ${fault}: ${hex()}`);
  // What we have made ourselves is right; what we have changed is as right as it was.
  if (checksum === false && (verdict === Verdict.Reply || readStrictly(input).checksum === true)) {
    throw new Error(`sent a frame whose transport checksum was right before: ${hex()}`);
  }
  return true;
}

/**
 * TCP's options are between the ends, whatever is in them (RFC 9293 §3.1): only the value of an MSS may have become another.
 * They are overwritten by no-operations, so that what is left is what we answer for.
 *
 * @returns the frame.
 */
function withoutSendersOptions(frame: Uint8Array, input: Uint8Array): Uint8Array {
  const options = tcpOptions(frame);
  const before = tcpOptions(input);
  if (options.length !== before.length) return frame;
  for (const [at, octet] of options.entries()) {
    if (octet === before[at]) continue;
    const isMss = [at - 2, at - 3].some((kind) => before[kind] === 2 && before[kind + 1] === 4);
    if (!isMss) throw new Error(`changed TCP options: ${Buffer.from(before).toString("hex")}`);
  }
  options.fill(1);
  return frame;
}

/** @returns the octets of the frame's TCP options; none for other frames. */
function tcpOptions(frame: Uint8Array): Uint8Array {
  const isIpv4 = frame[12] === 8 && frame[13] === 0;
  if ((isIpv4 ? frame[23] : frame[20]) !== 6 || (isIpv4 && (frame[21]! | (frame[20]! & 31)) !== 0))
    return new Uint8Array();
  const at = 14 + (isIpv4 ? (frame[14]! & 15) * 4 : 40);
  return frame.subarray(at + 20, at + (frame[at + 12]! >> 4) * 4);
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

/**
 * Frames that a broken or hostile peer would send to the backend's node: tunnels and options with bytes flipped and tails
 * cut off. Whatever comes, the receiver gives a verdict, writes nothing outside of the frame's own memory, and delivers
 * to pods nothing that a stranger has sent in a tunnel.
 */
import { expect, it } from "vitest";
import { FLOWS_OPENED } from "../src/dataplane/counters.ts";
import type { ForwardingMode } from "../src/dataplane/forwarding-spec.ts";
import { FRAME_HEADROOM_BYTES, Verdict } from "../src/dataplane/frame-batch.ts";
import { NET, node, RECEIVER, SENDER } from "./fixtures/dsr-nodes.ts";
import { clientSegment } from "./fixtures/dsr-segments.ts";
import { internetChecksum } from "./fixtures/frames.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const FRAMES = 100_000;
const CANARY = 0xa5;
const MODES = ["dsr-opt", "dsr-ipip", "dsr-gue", "dsr-geneve"] as const;

const TUNNELS = MODES.filter((mode) => mode !== "dsr-opt");

/** What a sender makes of requests: in all modes, families and protocols. */
const requests = (modes: readonly ForwardingMode[]) =>
  modes.flatMap((mode) =>
    ([4, 6] as const).flatMap((outer) =>
      ([4, 6] as const).flatMap((family) =>
        (["TCP", "UDP"] as const).map((protocol, index) => {
          const payload = new Uint8Array(40).fill(0x45);
          const request = clientSegment(family, { sourcePort: 40000 + index, protocol, payload });
          return node(SENDER, { mode, outer }).take(segmentFrame(request)).frame;
        }),
      ),
    ),
  );

it(`survives ${FRAMES} mutated tunnels and options`, { timeout: 60_000 }, () => {
  const next = xorshift(0x5eed);
  const receiver = node(RECEIVER, { mode: "dsr-geneve" });
  const corpus = requests(MODES);
  let delivered = 0;
  for (let n = 0; n < FRAMES; n++) {
    const frame = mutate(corpus[next() % corpus.length]!.slice(), next);
    receiver.memory.fill(CANARY, 0, FRAME_HEADROOM_BYTES);
    receiver.memory.fill(CANARY, FRAME_HEADROOM_BYTES + frame.length, FRAME_HEADROOM_BYTES + frame.length + 256);
    const { verdict, frame: out } = receiver.take(frame, NET, 100 + (n >> 8));
    if (verdict === Verdict.Transmit) {
      delivered++;
      const end = receiver.batch.offset[0]! + receiver.batch.length[0]!;
      if (end > FRAME_HEADROOM_BYTES + frame.length) throw new Error("sent more than it got");
      if (out[12] === 8 && internetChecksum(out.subarray(14, 14 + (out[14]! & 15) * 4)) !== 0) {
        throw new Error("bad IPv4 checksum sent");
      }
    }
    // A message of ours is longer than the frame that it answers, and within what an ICMP header adds.
    for (let at = FRAME_HEADROOM_BYTES + frame.length + 128; at < FRAME_HEADROOM_BYTES + frame.length + 256; at++) {
      if (receiver.memory[at] !== CANARY) throw new Error("wrote behind the frame");
    }
    for (let at = 0; at < FRAME_HEADROOM_BYTES - 96; at++) {
      if (receiver.memory[at] !== CANARY) throw new Error("wrote before the headroom");
    }
  }
  expect(delivered).toBeGreaterThan(FRAMES / 20);
});

it("delivers no tunnel of a stranger, however it is mutated", { timeout: 60_000 }, () => {
  const next = xorshift(0x57a2);
  const receiver = node(RECEIVER, { mode: "dsr-geneve", peers: [["192.0.2.1", 32]] });
  const tunnels = requests(TUNNELS);
  for (let n = 0; n < FRAMES / 4; n++) {
    const { verdict } = receiver.take(mutate(tunnels[next() % tunnels.length]!.slice(), next));
    expect(verdict).not.toBe(Verdict.Transmit);
  }
  expect(receiver.counters.totals[FLOWS_OPENED]).toBe(0);
});

/** Up to three bytes changed, mostly where headers are; the outer IPv4 checksum put right again, so that it gets far. */
function mutate(frame: Uint8Array<ArrayBuffer>, next: () => number): Uint8Array<ArrayBuffer> {
  const flips = next() & 3;
  for (let flip = 0; flip < flips; flip++) frame[12 + (next() % Math.min(110, frame.length - 12))] = next() & 255;
  if ((next() & 3) !== 0 && frame[12] === 8 && frame[13] === 0) {
    const end = 14 + (frame[14]! & 15) * 4;
    frame.set([0, 0], 24);
    const sum = internetChecksum(frame.subarray(14, end));
    frame.set([sum >> 8, sum & 255], 24);
  }
  return (next() & 7) === 0 ? frame.slice(0, next() % (frame.length + 1)) : frame;
}

function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

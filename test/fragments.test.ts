/** Fragmented datagrams through the pipeline, in any order: what comes out is the translated datagram, whole and sound. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FrameResult, replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { internetChecksum, ipv4Frame } from "./fixtures/frames.ts";

const config = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8")).configs.nat;

const IPV4_HEADER = 34;

/** A datagram to the VIP's DNS port, in fragments of `step` payload bytes each but the last. */
function fragments(payloadBytes: number, step: number): Uint8Array[] {
  const whole = ipv4Frame({
    destinationMac: "02:00:00:00:0a:01",
    sourceMac: "02:00:00:00:0a:00",
    source: "203.0.113.10",
    destination: "198.51.100.10",
    sourcePort: 5555,
    destinationPort: 53,
    protocol: 17,
    payload: Uint8Array.from({ length: payloadBytes }, (_, index) => index & 255),
  });
  const payload = whole.subarray(IPV4_HEADER);
  const list: Uint8Array[] = [];
  for (let start = 0; start < payload.length; start += step) {
    const part = payload.subarray(start, start + step);
    const frame = Uint8Array.of(...whole.subarray(0, IPV4_HEADER), ...part);
    const view = new DataView(frame.buffer);
    const more = start + step < payload.length ? 0x2000 : 0;
    view.setUint16(16, 20 + part.length);
    view.setUint16(18, 4711);
    view.setUint16(20, more | (start / 8));
    view.setUint16(24, 0);
    view.setUint16(24, internetChecksum(frame.subarray(14, IPV4_HEADER)));
    list.push(frame);
  }
  return list;
}

function feed(frames: readonly Uint8Array[], policy = config.policy): readonly FrameResult[] {
  const steps = frames.map((frame) => ({ iface: "wan", frame: Buffer.from(frame).toString("hex") }));
  return replay(parseScenario({ ...config, policy, id: "fragments", frames: steps })).results;
}

/** All frames that left, those set free by others included. */
function sent(results: readonly FrameResult[]): Buffer[] {
  return results
    .flatMap(({ frame, also = [] }) => [...(frame === undefined ? [] : [frame]), ...also.map((other) => other.frame)])
    .map((hex) => Buffer.from(hex, "hex"));
}

/** Puts the fragments together again and checks what a host would. */
function reassembled(frames: readonly Buffer[]): Buffer {
  const parts = frames
    .map((frame) => ({ start: (frame.readUInt16BE(20) & 0x1fff) * 8, bytes: frame.subarray(IPV4_HEADER), frame }))
    .sort((a, b) => a.start - b.start);
  for (const { frame } of parts) {
    expect(internetChecksum(frame.subarray(14, IPV4_HEADER))).toBe(0);
    expect([...frame.subarray(30, 34)]).toEqual([10, 2, 0, 2]);
    expect(frame.readUInt16BE(18)).toBe(4711);
  }
  const payload = Buffer.concat(parts.map(({ bytes }) => bytes));
  const first = parts[0]!.frame;
  const pseudo = Buffer.from([...first.subarray(26, 34), 0, 17, payload.length >> 8, payload.length & 255]);
  const padded = Buffer.concat([pseudo, payload, Buffer.alloc(payload.length & 1)]);
  expect(internetChecksum(padded)).toBe(0);
  return payload;
}

describe("fragments of a datagram", () => {
  it("reach the backend as one sound datagram, whatever order they come in", () => {
    const orders = fc.integer({ min: 1, max: 3000 }).chain((bytes) => {
      const list = fragments(bytes, 512);
      return fc.shuffledSubarray(list, { minLength: list.length });
    });
    fc.assert(
      fc.property(orders, (frames) => {
        const out = sent(feed(frames));
        expect(out).toHaveLength(frames.length);
        const payload = reassembled(out);
        expect(payload.readUInt16BE(0)).toBe(5555);
        expect(payload.readUInt16BE(2)).toBe(5353);
      }),
      { numRuns: 60 },
    );
  });

  it("wait for the first one, and are not sent without it", () => {
    const [, second, third] = fragments(1400, 512);
    const results = feed([third!, second!]);
    expect(results.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["drop", "FragmentHeld"],
      ["drop", "FragmentHeld"],
    ]);
  });

  it("that overlap the first one are dropped", () => {
    const [first, second] = fragments(1400, 512);
    const view = new DataView(second!.buffer);
    view.setUint16(20, 0x2000 | 8);
    view.setUint16(24, 0);
    view.setUint16(24, internetChecksum(second!.subarray(14, IPV4_HEADER)));
    expect(feed([first!, second!])[1]).toMatchObject({ verdict: "drop", reason: "FragmentInvalid" });
  });

  it("are all dropped where the operator wants none", () => {
    const results = feed(fragments(1400, 512), { ...config.policy, fragments: "drop" });
    expect(results.map(({ reason }) => reason)).toEqual(Array(3).fill("FragmentNotServed"));
  });
});

describe("fragments whose TTL ends here", () => {
  it("are answered once, for the first of them", () => {
    const ending = fragments(3000, 1480).map((frame) => {
      const view = new DataView(frame.buffer);
      view.setUint8(22, 1);
      view.setUint16(24, 0);
      view.setUint16(24, internetChecksum(frame.subarray(14, IPV4_HEADER)));
      return frame;
    });
    const [first, ...later] = feed(ending);
    expect(first!.verdict).toBe("reply");
    expect(later).toEqual([
      { verdict: "drop", reason: "TtlExpired" },
      { verdict: "drop", reason: "TtlExpired" },
    ]);
  });
});

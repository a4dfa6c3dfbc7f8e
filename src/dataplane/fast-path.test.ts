import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BACKEND,
  BACKEND_MAC,
  gateway,
  LAN,
  LAN_MAC,
  ROUTER_MAC,
  VIP,
  WAN,
  WAN_MAC,
} from "../../test/fixtures/gateway.ts";
import { segmentFrame } from "../../test/fixtures/segments.ts";
import { parseMac } from "../net/mac.ts";
import { ACK, FIN, PSH, RST, SYN, URG } from "../wire/transport.ts";
import { makeClassifier } from "./classify.ts";
import { RECEIVED, RECEIVED_BYTES } from "./counters.ts";
import { makeForwarder } from "./forward.ts";
import type { ForwardingMode } from "./forwarding-spec.ts";
import { FrameKind } from "./frame-batch.ts";
import { PORT_STACK, PORT_WIRE } from "./port-table.ts";

const BATCH = 16;
const CHUNK = 2048;
const LONGEST = 128;

interface Frame {
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** The first of them nine times in ten. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

/** Few clients and many kinds of segment, so that flows open, live, close and are met again. */
const frame: fc.Arbitrary<Frame> = fc
  .record({
    client: fc.integer({ min: 0, max: 3 }),
    protocol: fc.constantFrom("TCP", "TCP", "UDP"),
    flags: mostly(ACK, ACK | PSH, SYN, SYN | ACK, FIN | ACK, RST, ACK | URG, SYN | FIN),
    ttl: mostly(64, 2, 1, 0),
    payloadBytes: fc.constantFrom(0, 6, 6, 7, 60),
    isReply: fc.boolean(),
    destinationMac: mostly<string | null>(null, "02:00:00:00:ff:ff", "ff:ff:ff:ff:ff:ff"),
    padding: mostly(0, 3),
    cut: mostly(0, 1, 20),
    noChecksum: fc.boolean(),
    flips: fc.array(fc.tuple(fc.integer({ min: 12, max: 60 }), fc.nat(255)), { maxLength: 1 }),
    isFlipped: mostly(false, true),
  })
  .map((of) => {
    const { protocol, flags, ttl, isReply } = of;
    const client = { address: `11.0.0.${of.client}`, port: 1024 + of.client };
    const ends = isReply
      ? { source: BACKEND, sourcePort: 8080, destination: client.address, destinationPort: client.port }
      : { source: client.address, sourcePort: client.port, destination: VIP, destinationPort: 80 };
    const macs = isReply
      ? { destinationMac: of.destinationMac ?? LAN_MAC, sourceMac: BACKEND_MAC }
      : { destinationMac: of.destinationMac ?? WAN_MAC, sourceMac: ROUTER_MAC };
    const payload = new Uint8Array(of.payloadBytes);
    const whole = segmentFrame({ ...ends, ...macs, protocol: protocol as "TCP" | "UDP", flags, ttl, payload });
    if (protocol === "UDP" && of.noChecksum) whole.fill(0, 40, 42);
    if (of.isFlipped) for (const [at, octet] of of.flips) if (at < whole.length) whole[at] = octet;
    const bytes = new Uint8Array(whole.length - of.cut + of.padding);
    bytes.set(whole.subarray(0, bytes.length));
    return { bytes, port: isReply ? LAN : WAN };
  });

const batches = fc.array(fc.array(frame, { minLength: 4, maxLength: BATCH }), { minLength: 4, maxLength: 24 });

function node(mode: ForwardingMode, lanMtu: number, isStack: boolean) {
  const made = gateway(BATCH, BATCH * CHUNK, 1024, undefined, { mode });
  const lan = { mac: parseMac(LAN_MAC)!, mtu: lanMtu, ipv4: null, ipv6: null };
  if (isStack) made.pipeline.ports.set(LAN, { ...lan, kind: PORT_STACK, pair: WAN });
  else made.pipeline.ports.set(LAN, { ...lan, kind: PORT_WIRE, pair: null });
  return { ...made, classify: makeClassifier(made.pipeline), forward: makeForwarder(made.pipeline) };
}
type Node = ReturnType<typeof node>;

function receive({ batch, bytes }: Node, frames: readonly Frame[]): void {
  batch.count = frames.length;
  frames.forEach((each, i) => {
    const at = i * CHUNK + 258;
    bytes.fill(0, i * CHUNK, (i + 1) * CHUNK);
    bytes.set(each.bytes, at);
    batch.offset[i] = at;
    batch.length[i] = each.bytes.length;
    batch.port[i] = each.port;
  });
}

/** The general way for each frame, as if nothing were plain. */
function runSlowly({ pipeline, batch, counters, classify, forward }: Node, now: number): void {
  pipeline.now = now;
  counters.totals[RECEIVED]! += batch.count;
  counters.totals[RECEIVED_BYTES]! += classify(0, batch.count);
  for (let i = 0; i < batch.count; i++) forward(i);
}

function outcome({ batch, bytes, counters, flows4 }: Node) {
  const frames = Array.from({ length: batch.count }, (_, i) => ({
    verdict: batch.verdict[i],
    egress: batch.egress[i],
    reason: batch.reason[i],
    length: batch.length[i],
    bytes: Buffer.from(bytes.subarray(batch.offset[i]!, batch.offset[i]! + LONGEST)).toString("hex"),
  }));
  return { frames, totals: [...counters.totals], reasons: [...counters.reasons], vips: [...counters.vips], flows4 };
}

test.each([
  { mode: "nat", lanMtu: 1500, isStack: false },
  { mode: "nat", lanMtu: 60, isStack: false },
  { mode: "nat", lanMtu: 1500, isStack: true },
  { mode: "dsr-opt", lanMtu: 1500, isStack: false },
] as const)("forwards as the general way does, to the byte: $mode, MTU $lanMtu, stack inside $isStack", (of) => {
  let plain = 0;
  fc.assert(
    fc.property(batches, (sent) => {
      const fast = node(of.mode, of.lanMtu, of.isStack);
      const slow = node(of.mode, of.lanMtu, of.isStack);
      sent.forEach((frames, turn) => {
        for (const each of [fast, slow]) receive(each, frames);
        fast.pipeline.run(100 + turn);
        plain += fast.batch.kind.subarray(0, frames.length).filter((kind) => kind === FrameKind.Plain).length;
        runSlowly(slow, 100 + turn);
        const { flows4: fastRows, ...fastOutcome } = outcome(fast);
        const { flows4: slowRows, ...slowOutcome } = outcome(slow);
        expect(fastOutcome).toEqual(slowOutcome);
        expect(Buffer.from(fastRows.words.buffer).equals(Buffer.from(slowRows.words.buffer))).toBe(true);
      });
    }),
    { numRuns: 60 },
  );
  // The property is empty unless the fast path takes frames.
  if (of.mode === "nat") expect(plain).toBeGreaterThan(500);
});

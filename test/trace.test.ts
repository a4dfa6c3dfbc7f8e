/** Frames through the real pipeline, traced: what is told of each, who gets to see it, and what the kernel's samples say. */
import { expect, test } from "vitest";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import { parseIpAddress } from "../src/net/ip-address.ts";
import { parseMac } from "../src/net/mac.ts";
import { AnswerKind } from "../src/policy/define-policy.ts";
import { ANSWER_WORDS } from "../src/policy/new-flow-view.ts";
import type { RunningPolicy } from "../src/policy/policy-chain.ts";
import { describeFrame, type TraceScene } from "../src/trace/describe-frame.ts";
import type { FrameEvent } from "../src/trace/frame-event.ts";
import { matches, parseFrameFilter, workerFilter } from "../src/trace/frame-filter.ts";
import { readFrameRecord } from "../src/trace/frame-record.ts";
import { frameComment, monitorLine } from "../src/trace/frame-sentence.ts";
import { FrameTracer } from "../src/trace/frame-tracer.ts";
import { TraceRing, traceRingMemory } from "../src/trace/trace-ring.ts";
import { ADDRESS_WORDS, storeAddress } from "../src/wire/raw.ts";
import { ipv4Frame } from "./fixtures/frames.ts";
import {
  BACKEND,
  BACKEND_MAC,
  gateway,
  INTERFACES,
  LAN,
  LAN_MAC,
  ROUTER_MAC,
  VIP,
  WAN,
  WAN_MAC,
} from "./fixtures/gateway.ts";
import { chainOf } from "./fixtures/three-policies.ts";

const CLIENT = "203.0.113.10";
const SYN = 0x02;
const SYN_ACK = 0x12;
const FRAME_ROOM = 2048;

const fromClient = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC, source: CLIENT, destination: VIP };
const request = (sourcePort: number, destinationPort = 80, flags = SYN) =>
  ipv4Frame({ ...fromClient, sourcePort, destinationPort, protocol: 6, flags });
const reply = (port: number) =>
  ipv4Frame({
    ...{ destinationMac: LAN_MAC, sourceMac: BACKEND_MAC, source: BACKEND, destination: CLIENT },
    ...{ sourcePort: 8080, destinationPort: port, protocol: 6, flags: SYN_ACK },
  });

/** A gateway whose frames are traced for whoever has this filter. */
function traced(words: Record<string, string> = {}, policies: readonly RunningPolicy[] = []) {
  const { batch, bytes, pipeline, flows4, flows6, ids } = gateway(8, 8 * FRAME_ROOM, 1024, [BACKEND], {
    policies: policies.map(({ name }) => name),
  });
  if (policies.length > 0) pipeline.policies = chainOf(policies, pipeline, ids);
  const filter = parseFrameFilter((field) => words[field] ?? null);
  const memory = traceRingMemory(1 << 16);
  const order = { ring: memory, snapBytes: 128, filters: [workerFilter(filter, [parseIpAddress(VIP)!])] };
  const tracer = new FrameTracer(order, batch, bytes);
  const ring = new TraceRing(memory);
  const scene: TraceScene = {
    ...{ flows: [flows4, flows6], table: pipeline.table, ids, ports: INTERFACES, bootMilliseconds: 1_000_000 },
    policies: {
      name: (number) => policies[number - 1]?.name ?? null,
      answer: (kind) => ANSWER_WORDS[kind]!,
      reason: (_worker, _policy, number) => ["too many"][number - 1] ?? null,
    },
  };
  const play = (...frames: readonly (readonly [port: number, frame: Uint8Array])[]): FrameEvent[] => {
    for (const [i, [port, frame]] of frames.entries()) {
      batch.offset[i] = i * FRAME_ROOM + 256;
      batch.length[i] = frame.length;
      batch.port[i] = port;
      bytes.set(frame, batch.offset[i]!);
    }
    batch.count = frames.length;
    tracer.before();
    pipeline.run(10);
    tracer.after(5e9);
    const events: FrameEvent[] = [];
    for (let at = ring.next(); at >= 0; at = ring.next()) {
      events.push(describeFrame(readFrameRecord(ring, at, 0), scene, 1));
      ring.release();
    }
    return events.filter((event) => matches(filter, event));
  };
  const forgetBackend = () => {
    const address = new Int32Array(ADDRESS_WORDS);
    storeAddress(address, 0, parseIpAddress(BACKEND)!);
    pipeline.neighbors.set(address, LAN, null, parseMac(LAN_MAC)!);
  };
  return { play, scene, forgetBackend };
}

test("a request is told with its Service, its backend and what it becomes", () => {
  const { play } = traced();
  const [event] = play([WAN, request(40_000)]);
  expect(event).toEqual({
    ...{ time: 1_005_000, port: "wan", leavesBy: "lan", by: "worker", standsFor: 1, direction: "request" },
    ...{ client: CLIENT, protocol: "TCP", flags: "S", lengthBytes: 60, verdict: "forwarded", reason: null },
    ...{ source: `${CLIENT}:40000`, destination: `${VIP}:80`, service: "test/web", backend: `${BACKEND}:8080` },
    ...{ policy: null, captured: false, becomes: { source: `${CLIENT}:40000`, destination: `${BACKEND}:8080` } },
  });
  expect(monitorLine(event!)).toBe(
    `00:16:45.000 wan TCP S ${CLIENT}:40000 > ${VIP}:80, 60 bytes: forwarded by lan, ` +
      `as ${CLIENT}:40000 > ${BACKEND}:8080, request of test/web, backend ${BACKEND}:8080`,
  );
});

test("a reply is told with the client's Service, and as the client sees it", () => {
  const { play } = traced();
  const [, event] = [...play([WAN, request(40_000)]), ...play([LAN, reply(40_000)])];
  expect(event).toMatchObject({
    ...{ direction: "reply", client: CLIENT, service: "test/web", backend: `${BACKEND}:8080`, flags: "SA" },
    ...{ becomes: { source: `${VIP}:80`, destination: `${CLIENT}:40000` }, leavesBy: "wan" },
  });
});

test("a frame that is refused is told with its reason", () => {
  const { play } = traced();
  const [answered, passed] = play(
    [WAN, request(40_000, 81)],
    [WAN, ipv4Frame({ ...fromClient, destination: "10.9.9.9", sourcePort: 1, destinationPort: 2, protocol: 6 })],
  );
  expect(answered).toMatchObject({ verdict: "answered", flags: "S", service: null });
  expect(passed).toMatchObject({ verdict: "passed", reason: "NotOurAddress", becomes: null, leavesBy: null });
  expect(frameComment(passed!)).toBe("sluice: left to the kernel, reason NotOurAddress");
});

test("a frame that waits for the MAC of its next hop is held, and no lost one", () => {
  for (const [verdict, told] of [
    ["held", 1],
    ["dropped", 0],
  ] as const) {
    const { play, forgetBackend } = traced({ verdict });
    forgetBackend();
    const events = play([WAN, request(40_000)]);
    expect(events.map((event) => [event.verdict, event.reason])).toEqual(
      Array.from({ length: told }, () => ["held", "NeighborAwaited"]),
    );
  }
});

test("only frames that the filter wants are told", () => {
  const frames = [
    [WAN, request(40_000)],
    [WAN, request(40_000, 81)],
    [
      WAN,
      ipv4Frame({ ...fromClient, source: "203.0.114.1", sourcePort: 7, destinationPort: 80, protocol: 6, flags: 2 }),
    ],
  ] as const;
  const told = (words: Record<string, string>) => traced(words).play(...frames).length;
  expect(told({})).toBe(3);
  expect(told({ client: CLIENT })).toBe(2);
  expect(told({ client: "203.0.113.0/24", verdict: "forwarded" })).toBe(1);
  expect(told({ client: "203.0.112.0/22" })).toBe(3);
  expect(told({ service: "test/web" })).toBe(2);
  expect(told({ service: "test/other" })).toBe(0);
  expect(told({ reason: "NotOurAddress" })).toBe(0);
});

test("a filter that can't be meant is refused with the word that is wrong", () => {
  const parse = (words: Record<string, string>) => () => parseFrameFilter((field) => words[field] ?? null);
  expect(parse({ client: "10.0.0.300" })).toThrow("client 10.0.0.300: an address or a prefix expected");
  expect(parse({ reason: "Nothing" })).toThrow("reason Nothing: no such reason");
  expect(parse({ verdict: "lost" })).toThrow(
    "verdict lost: one of forwarded, answered, held, dropped, passed expected",
  );
});

test("a denied flow is told with the policy, its answer and its reason; an allowed one keeps who allowed it", () => {
  const guard: RunningPolicy = {
    ...{ name: "guard", slot: 0, onError: "allow" },
    hooks: { onNewFlow: (flow) => (flow.clientPort < 1000 ? flow.deny("too many") : (AnswerKind.Allow as never)) },
  };
  const { play } = traced({}, [guard]);
  const [denied, allowed, later] = play([WAN, request(999)], [WAN, request(40_000)], [WAN, request(40_000, 80, 0x10)]);
  expect(denied).toMatchObject({
    ...{ verdict: "dropped", reason: "PolicyDenied", service: "test/web" },
    policy: { policy: "guard", answer: "deny", reason: "too many" },
  });
  expect(allowed!.policy).toEqual({ policy: "guard", answer: "allow", reason: null });
  expect(later!.policy).toEqual({ policy: "guard", answer: null, reason: null });
  expect(frameComment(denied!)).toBe(
    "sluice: dropped, reason PolicyDenied, for test/web, policy guard answered deny (too many)",
  );
});

test("of a frame that the kernel has sent on, the rows tell what it was", () => {
  const { play, scene } = traced();
  const [opened] = play([WAN, request(40_000)]);
  const sent = ipv4Frame({
    ...{ destinationMac: BACKEND_MAC, sourceMac: LAN_MAC, source: CLIENT, destination: BACKEND },
    ...{ sourcePort: 40_000, destinationPort: 8080, protocol: 6 },
  });
  const nobody = { policy: 0, answer: 0, answerReason: 0, before: new Uint8Array(), beforeLengthBytes: 0, worker: -1 };
  const sample = { ...nobody, by: "kernel", port: WAN, egress: -1, verdict: Verdict.Transmit, reason: 0 } as const;
  const event = describeFrame({ ...sample, nanoseconds: 0, after: sent, afterLengthBytes: 60 }, scene, 64);
  expect(event).toMatchObject({
    ...{ by: "kernel", standsFor: 64, direction: "request", service: "test/web", becomes: opened!.becomes },
    ...{ source: opened!.source, destination: opened!.destination, backend: opened!.backend },
  });
});

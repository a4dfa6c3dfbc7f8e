/** What anybody sends to the port of the heartbeats: a thread that ended by it would take its node's addresses with it. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";

import { HeartbeatSockets } from "../../src/announcer/heartbeat-sockets.ts";
import { OwnerAgreement } from "../../src/l2/agreement.ts";
import type { SignOfLife } from "../../src/l2/event.ts";
import { EMPTY_STATEMENT, type Heartbeat } from "../../src/l2/heartbeat.ts";
import { HeartbeatEncoder } from "../../src/l2/heartbeat-codec.ts";
import { DEFAULT_TIMING } from "../../src/l2/timing.ts";
import { authenticator } from "../../src/xdp/authenticator.ts";
import { waitFor } from "../lab/wait-for.ts";
import { moveIntoOwnNamespace } from "./own-namespace.ts";

moveIntoOwnNamespace();

const PORT = 9497;
const SESSION = 7;
const KEY = new TextEncoder().encode("the secret of this test");
/** Of a heartbeat with news, which is read at once, and of one without, which waits for a look. */
const HEADS = [8, 0].map((flags) => Uint8Array.of(0x53, 0x4c, 0x32, 1, 0, 1, flags));

const HEARTBEAT: Heartbeat = {
  ...{
    from: "b",
    session: 9,
    sequence: 1,
    ready: true,
    draining: false,
    version: 0,
    moves: [],
    patienceMilliseconds: 650,
  },
  heard: [{ node: "a", session: SESSION, version: 0, held: false }],
  statement: EMPTY_STATEMENT,
};

const taken: Heartbeat[] = [];
const again: SignOfLife[] = [];
const agreement = new OwnerAgreement("a", SESSION, DEFAULT_TIMING, performance.now());
agreement.step({ type: "plan", members: ["a", "b"], vips: [] }, performance.now());
const sockets = new HeartbeatSockets(
  KEY,
  PORT,
  {
    session: () => SESSION,
    take: (message, at) => {
      taken.push(message);
      agreement.step({ type: "message", message, at }, performance.now());
    },
    hasHeard: (name, at) => agreement.hasHeard(name, at),
    livesIn: (name, session) => agreement.livesIn(name, session),
    again: (signs) => {
      again.push(...signs);
      agreement.step({ type: "again", signs }, performance.now());
    },
    rested: () => {},
  },
  { 4: "127.0.0.1", 6: null },
);
const stranger = createSocket("udp4");
beforeAll(async () => {
  stranger.bind(0, "127.0.0.1");
  await once(stranger, "listening");
});
afterAll(() => {
  sockets.close();
  stranger.close();
});

async function send(datagram: Uint8Array): Promise<void> {
  stranger.send(datagram, PORT, "127.0.0.1");
  await new Promise((resolve) => setImmediate(resolve));
}

function written(message: Heartbeat): Uint8Array {
  return new HeartbeatEncoder(authenticator(KEY)).encode(message)[0]!;
}

test("whatever comes is counted and forgotten, and heartbeats are taken after it as before", async () => {
  let count = sockets.refused;
  taken.length = 0;
  for (const head of HEADS) {
    for (const octets of [0, 1, 7, 8, 23, 24, 100, 1200, 2047, 2048, 2049, 4000, 65_507]) {
      const datagram = new Uint8Array(octets);
      datagram.set(randomBytes(octets));
      datagram.set(head.subarray(0, octets));
      await send(datagram);
      count++;
    }
  }
  const seen = () => {
    sockets.look();
    return sockets.refused;
  };
  await waitFor("all to be refused", () => seen() === count, { seen: () => sockets.refused });
  expect(taken).toEqual([]);

  await send(written(HEARTBEAT));
  await waitFor("the heartbeat to be taken", () => taken.length > 0);
  expect(taken).toEqual([HEARTBEAT]);
});

test("of what one sender says the latest is read: no forged one hides it, and none played again makes him live longer", async () => {
  const plain = (sequence: number) => written({ ...HEARTBEAT, sequence, statement: null });
  const forged = plain(99);
  forged[forged.length - 1]! ^= 1;
  const refusedBefore = sockets.refused;
  taken.length = 0;
  const lastHeard = () => agreement.roll.members.get("b")!.lastHeard;
  for (const [first, ...rest] of [[plain(10)], [plain(13), plain(11), plain(12)], [forged, plain(14)], [plain(14)]]) {
    await send(first!);
    await sleep(20);
    for (const datagram of rest) await send(datagram);
  }
  const sentAt = performance.now();
  await sleep(50);
  sockets.look();
  // The forged one is tried first, so those of the sender come in order; what they say of a past is refused by its number.
  expect(taken.map(({ sequence }) => sequence)).toEqual([10, 13, 11, 12, 14, 14]);
  expect(sockets.refused - refusedBefore).toBe(1);
  expect(lastHeard()).toBeLessThan(sentAt - 15);

  taken.length = 0;
  const receivedBefore = sockets.received;
  for (const sequence of [20, 21, 22]) await send(plain(sequence));
  await sleep(50);
  sockets.look();
  expect(taken.map(({ sequence }) => sequence)).toEqual([22]);
  expect(sockets.received - receivedBefore).toBe(3);
});

test("what a sender says again is heard as a sign of life, unless it is forged, played again, or news came between", async () => {
  const plain = (sequence: number, over: Partial<Heartbeat> = {}) =>
    written({ ...HEARTBEAT, sequence, patienceMilliseconds: 700, statement: null, ...over });
  const forged = (sequence: number) => {
    const datagram = plain(sequence);
    datagram[datagram.length - 1]! ^= 1;
    return datagram;
  };
  /** The sequence numbers that were taken in full, those that were signs of life, and how many were refused. */
  const look = async (...datagrams: readonly Uint8Array[]) => {
    taken.length = again.length = 0;
    const [refusedBefore, receivedBefore] = [sockets.refused, sockets.received];
    for (const datagram of datagrams) await send(datagram);
    await sleep(20);
    sockets.look();
    const numbers = (of: readonly { readonly sequence: number }[]) => of.map(({ sequence }) => sequence);
    const refused = sockets.refused - refusedBefore;
    expect(sockets.received - receivedBefore + refused).toBe(datagrams.length);
    return { taken: numbers(taken), again: numbers(again), refused };
  };
  expect(await look(plain(100))).toEqual({ taken: [100], again: [], refused: 0 });
  expect(await look(plain(101), plain(103), plain(102))).toEqual({ taken: [], again: [103], refused: 0 });
  expect(await look(plain(104), forged(9999), plain(105))).toEqual({ taken: [], again: [105], refused: 1 });
  expect(await look(forged(10_000))).toEqual({ taken: [], again: [], refused: 1 });

  const { lastHeard } = agreement.roll.members.get("b")!;
  expect(await look(plain(105), plain(100))).toEqual({ taken: [], again: [105], refused: 0 });
  expect(agreement.roll.members.get("b")!.lastHeard).toBe(lastHeard);

  // Another thing said, and the first one again.
  expect(await look(plain(106, { draining: true }))).toEqual({ taken: [106], again: [], refused: 0 });
  expect(await look(plain(107))).toEqual({ taken: [107], again: [], refused: 0 });
  taken.length = 0;
  await send(written({ ...HEARTBEAT, sequence: 108, draining: true }));
  await waitFor("the news to be taken", () => taken.length > 0);
  expect(await look(plain(109))).toEqual({ taken: [109], again: [], refused: 0 });
  expect(await look(plain(110))).toEqual({ taken: [], again: [110], refused: 0 });
  expect(agreement.roll.members.get("b")).toMatchObject({ alive: true, draining: false });

  // Who counts as dead is heard in full.
  agreement.roll.members.get("b")!.forget();
  expect(await look(plain(111), plain(112))).toEqual({ taken: [112], again: [], refused: 0 });
  expect(agreement.livesIn("b", 9)).toBe(true);
});

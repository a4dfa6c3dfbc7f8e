/** What anybody sends to the port of the heartbeats: a thread that ended by it would take its node's addresses with it. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authenticator } from "../../src/announcer/authentication.ts";
import { HeartbeatSockets } from "../../src/announcer/heartbeat-sockets.ts";
import { EMPTY_STATEMENT, type Heartbeat } from "../../src/l2/heartbeat.ts";
import { HeartbeatEncoder } from "../../src/l2/heartbeat-codec.ts";
import { waitFor } from "../lab/wait-for.ts";
import { moveIntoOwnNamespace } from "./own-namespace.ts";

moveIntoOwnNamespace();

const PORT = 9497;
const SESSION = 7;
const KEY = new TextEncoder().encode("the secret of this test");
/** Of a heartbeat with news, which is read at once, and of one without, which waits for a look. */
const HEADS = [8, 0].map((flags) => Uint8Array.of(0x53, 0x4c, 0x32, 1, 0, 1, flags));

const taken: Heartbeat[] = [];
const ears = { session: () => SESSION, take: (message: Heartbeat) => void taken.push(message) };
const sockets = new HeartbeatSockets(KEY, PORT, ears, { 4: "127.0.0.1", 6: null });
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

  const message: Heartbeat = {
    ...{ from: "b", session: 9, sequence: 1, ready: true, draining: false, version: 1, moves: [] },
    heard: [{ node: "a", session: SESSION, version: 1, held: false }],
    statement: EMPTY_STATEMENT,
  };
  for (const datagram of new HeartbeatEncoder(authenticator(KEY)).encode(message)) await send(datagram);
  await waitFor("the heartbeat to be taken", () => taken.length > 0);
  expect(taken).toEqual([message]);
});

/** Heartbeats that go on without JavaScript, and what ends that. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { addressOctets, DatagramSocket } from "../../src/xdp/datagram-socket.ts";
import { EventFd } from "../../src/xdp/wait.ts";
import { waitFor } from "../lab/wait-for.ts";
import { moveIntoOwnNamespace } from "./own-namespace.ts";
import { EVERY_MILLISECONDS, RestingHeart, said } from "./resting-heart.ts";

moveIntoOwnNamespace();

const PORT = 19_474;

let heart: RestingHeart;
let peer: DatagramSocket;
beforeEach(() => {
  heart = new RestingHeart("127.0.6.1", PORT);
  peer = new DatagramSocket(parseIpAddress("127.0.6.2")!, PORT, 2048);
});
afterEach(() => {
  heart.close();
  peer.close();
});

const peerAddress = addressOctets(parseIpAddress("127.0.6.2")!);
const say = (...datagrams: readonly Uint8Array[]) => {
  for (const datagram of datagrams) expect(peer.send(datagram, [heart.address], PORT)).toBe(0);
};
const isWoken = () => heart.woken > 0;

test.each([
  ["IPv4", "127.0.6.3"],
  ["IPv6", "::1"],
])("each beat says the same by %s, numbered and proved anew, until it is ended", async (_, address) => {
  // It sends to itself, and since nobody is expected it does not hear that.
  const own = new RestingHeart(address, PORT);
  own.rest([own.address, own.address], []);
  const heard: Uint8Array[] = [];
  const listen = () => {
    for (let index = 0, count = own.socket.receive(); index < count; index++)
      heard.push(own.socket.datagram(index).slice());
    return heard.length;
  };
  await waitFor("five beats", () => listen() >= 10, { everyMilliseconds: 5 });
  const report = own.resting.end()!;
  await sleep(3 * EVERY_MILLISECONDS);
  const count = listen();
  expect(own.resting.end()).toBeNull();
  own.close();
  expect(heard).toEqual(heard.map((_one, index) => said("self", 101 + Math.floor(index / 2))));
  expect(report).toMatchObject({ sequence: 100 + count / 2, sent: count, unsent: 0, unread: null });
  expect(own.woken).toBe(0);
});

test("what is expected is heard, what is forged is refused, and what is played again makes nobody live longer", async () => {
  // So short that each beat has to hear of the sender for the rest to go on.
  heart.rest([], ["b"], { patience: 3 * EVERY_MILLISECONDS });
  let sequence = 1;
  const forged = () => {
    const datagram = said("b", sequence + 1000);
    datagram[datagram.length - 1]! ^= 1;
    return datagram;
  };
  for (let beat = 0; beat < 10 && !isWoken(); beat++) {
    say(forged(), said("b", ++sequence));
    await sleep(EVERY_MILLISECONDS / 2);
  }
  expect(heart.woken).toBe(0);
  const lastSaid = performance.now();
  const replayed = said("b", sequence);
  while (!isWoken() && performance.now() < lastSaid + 5000) {
    say(replayed);
    await sleep(EVERY_MILLISECONDS / 4);
  }
  expect(heart.woken).toBe(1);
  const report = heart.resting.end()!;
  const [[, sign]] = [...report.heard] as [[number, { sequence: number; at: number }]];
  expect(sign.sequence).toBe(sequence);
  expect(sign.at).toBeLessThanOrEqual(lastSaid);
  expect(report.refused).toBe(sequence - 1);
  expect(report.unread).toBeNull();
});

test.each([
  ["a sender who is not expected", "c", { patience: 2 * EVERY_MILLISECONDS }],
  ["an expected one that says something else", "b", { patience: 2 * EVERY_MILLISECONDS }],
  ["somebody who was awaited", "c", { awaits: true }],
])("%s ends it, and what was taken is left to read", async (_, from, over) => {
  heart.rest([], ["b"], over);
  const other = from === "b" ? said("b", 2).map((octet, index) => (index === 6 ? octet ^ 2 : octet)) : said("c", 2);
  say(said("b", 2), other);
  await waitFor("to be woken", isWoken, { everyMilliseconds: 5 });
  const { unread, heard } = heart.resting.end()!;
  expect(unread).toMatchObject({ count: 2, rows: 1 });
  expect(heart.sieve.others).toBe(1);
  expect(unread!.socket.datagram(heart.sieve.left[0]!)).toEqual(other);
  expect(heard.size).toBe(0);
});

test("a watched descriptor ends it, and so does its time, after a last beat", async () => {
  const event = new EventFd();
  heart.rest([peerAddress], [], { watched: [event.fd] });
  await sleep(3 * EVERY_MILLISECONDS);
  expect(heart.woken).toBe(0);
  event.signal();
  await waitFor("to be woken", isWoken, { everyMilliseconds: 5 });
  heart.resting.end();
  event.close();

  heart.rest([peerAddress], [], { until: performance.now() + 2.5 * EVERY_MILLISECONDS });
  await waitFor("to be woken again", () => heart.woken === 2, { everyMilliseconds: 5 });
  expect(heart.resting.end()!.sent).toBeGreaterThanOrEqual(1);
});

test("who comes back from a standstill says nothing before JavaScript has judged", async () => {
  heart.rest([peerAddress], [], { dead: 100 });
  await waitFor("a beat", () => peer.receive() > 0, { everyMilliseconds: 1 });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
  await waitFor("to be woken", isWoken, { everyMilliseconds: 1 });
  const { lived } = heart.resting.end()!;
  expect(performance.now() - lived).toBeGreaterThan(100);
  expect(peer.receive()).toBe(0);
});

test("a function that throws is an error of the thread, as one of a timer would be", async () => {
  const errors: unknown[] = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => errors.push(error));
  Object.defineProperty(heart, "woken", {
    get: () => 0,
    set: () => {
      throw new Error("thrown when woken");
    },
  });
  heart.rest([], [], { until: 0 });
  await waitFor("the error", () => errors.length > 0, { everyMilliseconds: 5 });
  for (const listener of before) process.on("uncaughtException", listener);
  expect(errors).toEqual([new Error("thrown when woken")]);
});

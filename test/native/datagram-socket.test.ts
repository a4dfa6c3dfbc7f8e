import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { addressOctets, DatagramSocket } from "../../src/xdp/datagram-socket.ts";
import { waitFor } from "../lab/wait-for.ts";
import { moveIntoOwnNamespace } from "./own-namespace.ts";

moveIntoOwnNamespace();

const PORT = 19_473;
const LONGEST = 64;
const sockets: DatagramSocket[] = [];

function open(address: string): DatagramSocket {
  const socket = new DatagramSocket(parseIpAddress(address)!, PORT, LONGEST);
  sockets.push(socket);
  return socket;
}

/** What has come. */
function all(socket: DatagramSocket): Uint8Array[] {
  return Array.from({ length: socket.receive() }, (_, index) => socket.datagram(index).slice());
}

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

describe.each([
  ["127.0.7.1", "127.0.7.2"],
  ["::1", "::1"],
])("datagrams from %s to %s", (from, to) => {
  test("come in order and whole, those that are too long cut; then there are none", async () => {
    const receiver = open(to);
    const sender = from === to ? receiver : open(from);
    const octets = addressOctets(parseIpAddress(to)!);
    const sent = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(LONGEST + 1).fill(7)];
    for (const datagram of sent) expect(sender.send(datagram, [octets], PORT)).toBe(0);
    const received: Uint8Array[] = [];
    const take = () => {
      received.push(...all(receiver));
      return received.length === sent.length;
    };
    await waitFor("the datagrams", take, { everyMilliseconds: 5 });
    expect(received).toEqual([sent[0], sent[1], sent[2]!.subarray(0, LONGEST)]);
    expect(receiver.receive()).toBe(0);
  });
});

test("those that can't wait are sorted out by an octet of theirs", async () => {
  const receiver = open("127.0.7.2");
  const urgent = receiver.divert(1, 0x0c);
  const seen: number[] = [];
  urgent.on("message", (datagram) => seen.push(datagram[0]!));
  const octets = addressOctets(parseIpAddress("127.0.7.2")!);
  const sender = open("127.0.7.1");
  for (const [index, flags] of [0x00, 0x04, 0xf3, 0x08, 0xff].entries()) {
    sender.send(Uint8Array.of(index, flags), [octets], PORT);
  }
  await waitFor("the urgent ones", () => seen.length === 3, { everyMilliseconds: 5 });
  expect(seen).toEqual([1, 3, 4]);
  expect(all(receiver).map(([index]) => index)).toEqual([0, 2]);
  expect(() => open("127.0.7.2")).toThrow("EADDRINUSE");
  urgent.close();
});

test("a datagram that waited tells for how long", async () => {
  const receiver = open("127.0.7.2");
  const began = performance.now();
  open("127.0.7.1").send(Uint8Array.of(1), [addressOctets(parseIpAddress("127.0.7.2")!)], PORT);
  const sent = performance.now();
  await sleep(300);
  const read = performance.now();
  expect(all(receiver)).toEqual([Uint8Array.of(1)]);
  expect(receiver.age(0)).toBeGreaterThanOrEqual(read - sent - 1);
  expect(receiver.age(0)).toBeLessThanOrEqual(performance.now() - began + 1);
});

test("a port that is taken is refused in words", () => {
  open("127.0.7.1");
  expect(() => open("127.0.7.1")).toThrow(/cannot receive on UDP port 19473: Address already in use \(EADDRINUSE\)/);
});

test("one datagram goes to many, past those that can't be reached", async () => {
  const members = Array.from({ length: 100 }, (_, index) => `127.0.8.${index + 1}`);
  const receivers = members.map(open);
  const sender = open("127.0.7.1");
  const octets = (address: string) => addressOctets(parseIpAddress(address)!);
  // In a namespace without routes nobody else is.
  const to = ["192.0.2.1", ...members.slice(0, 70), "192.0.2.2", "192.0.2.3", ...members.slice(70), "192.0.2.4"];
  expect(sender.send(Uint8Array.of(1), to.map(octets), PORT)).toBe(4);
  const received = new Set<DatagramSocket>();
  const take = () => {
    for (const receiver of receivers) if (receiver.receive() > 0) received.add(receiver);
    return received.size === members.length;
  };
  await waitFor("each to have it", take, { everyMilliseconds: 5, seen: () => `${received.size}` });
  for (const receiver of receivers) expect(receiver.receive()).toBe(0);
});

test("more than a look takes at once stay in order", async () => {
  const receiver = open("127.0.7.2");
  const sender = open("127.0.7.1");
  const octets = addressOctets(parseIpAddress("127.0.7.2")!);
  for (let index = 0; index < 600; index++) sender.send(Uint8Array.of(index >> 8, index), [octets], PORT);
  const received: number[] = [];
  const take = () => {
    received.push(...all(receiver).map(([high, low]) => (high! << 8) | low!));
    return received.length === 600;
  };
  await waitFor("the datagrams", take, { everyMilliseconds: 5 });
  expect(received).toEqual(Array.from({ length: 600 }, (_, index) => index));
});

test("what can't be sent is told, and harms nothing", () => {
  const socket = open("127.0.7.1");
  const [ipv4, ipv6] = ["127.0.7.1", "::1"].map((address) => addressOctets(parseIpAddress(address)!));
  expect(() => socket.send(new Uint8Array(1), [ipv6!], PORT)).toThrow(RangeError);
  expect(socket.send(new Uint8Array(1), [], PORT)).toBe(0);
  expect(socket.send(new Uint8Array(1), [ipv4!], PORT)).toBe(0);
  socket.close();
  expect(socket.send(new Uint8Array(1), [ipv4!, ipv4!], PORT)).toBe(2);
});

test("a socket that is closed has nothing to read", () => {
  const socket = open("127.0.7.1");
  socket.close();
  expect(socket.receive()).toBe(0);
});

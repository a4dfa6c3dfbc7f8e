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
    for (const datagram of sent) expect(sender.send(datagram, octets, PORT)).toBe(true);
    const received: Uint8Array[] = [];
    const take = () => {
      for (let one = receiver.receive(); one !== null; one = receiver.receive()) received.push(one.slice());
      return received.length === sent.length;
    };
    await waitFor("the datagrams", take, { everyMilliseconds: 5 });
    expect(received).toEqual([sent[0], sent[1], sent[2]!.subarray(0, LONGEST)]);
    expect(receiver.receive()).toBeNull();
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
    sender.send(Uint8Array.of(index, flags), octets, PORT);
  }
  await waitFor("the urgent ones", () => seen.length === 3, { everyMilliseconds: 5 });
  expect(seen).toEqual([1, 3, 4]);
  expect([receiver.receive()?.[0], receiver.receive()?.[0], receiver.receive()]).toEqual([0, 2, null]);
  expect(() => open("127.0.7.2")).toThrow("EADDRINUSE");
  urgent.close();
});

test("a port that is taken is refused in words", () => {
  open("127.0.7.1");
  expect(() => open("127.0.7.1")).toThrow(/cannot receive on UDP port 19473: Address already in use \(EADDRINUSE\)/);
});

test("what can't be sent is told, and harms nothing", () => {
  const socket = open("127.0.7.1");
  expect(socket.send(new Uint8Array(1), addressOctets(parseIpAddress("::1")!), PORT)).toBe(false);
  socket.close();
  expect(socket.send(new Uint8Array(1), addressOctets(parseIpAddress("127.0.7.1")!), PORT)).toBe(false);
  expect(socket.receive()).toBeNull();
});

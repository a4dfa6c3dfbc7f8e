/**
 * IPv6 on real interfaces: requests of a neighbour's stack come in by XDP, replies of the node's stack by tc egress.
 *
 *   other namespace                     | this one
 *   ping, UDP ~ up1 2001:db8:6::2 ~~~~~ | ~ up0 2001:db8:6::1 [generic XDP -> socket] [tc egress -> sl0 ~~~ sl1 -> socket]
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { attachEgress, attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { findLink } from "../../src/xdp/netlink.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, otherNamespace, run } from "./own-namespace.ts";
import { mapped } from "./packets.ts";
import { writeRow } from "./reference-flow-table.ts";
import { offerFrames, receive, SMALL_RINGS, words } from "./traffic.ts";

moveIntoOwnNamespace();
const neighbour = otherNamespace();
run("ip link add up0 type veth peer name up1");
run("ip link add sl0 type veth peer name sl1");
run(`ip link set up1 netns ${neighbour.name}`);
for (const end of ["up0", "sl0", "sl1"]) {
  run(`sysctl -qw net.ipv6.conf.${end}.accept_dad=0 net.ipv6.conf.${end}.router_solicitations=0`);
  run(`ethtool -K ${end} tx off`);
  run(`ip link set ${end} up`);
}
neighbour.run("sysctl -qw net.ipv6.conf.up1.accept_dad=0");
neighbour.run("ethtool -K up1 tx off");
neighbour.run("ip link set up1 up");
run("ip addr add 2001:db8:6::1/64 dev up0 nodad");
neighbour.run("ip addr add 2001:db8:6::2/64 dev up1 nodad");
neighbour.run("ip route add 2001:db8:1::/64 via 2001:db8:6::1");

const ROWS = 256;
const hashKey = { k0: 7, k1: 9 };
const object = BpfObject.load(undefined, { maxEntries: { flows: 16, flows6: ROWS } });
const umem = new Umem({ frameCount: 128, frameSize: 2048 });
const uplink = new XskSocket(umem, { interface: "up0", queue: 0, ...SMALL_RINGS });
const inside = new XskSocket(umem, { interface: "sl1", queue: 0, ...SMALL_RINGS });
const links = [
  attachXdp({ program: object.program("sluice_xdp"), interface: "up0", mode: "generic" }),
  attachXdp({ program: object.program("sluice_xdp"), interface: "sl1", mode: "native" }),
  attachEgress({ program: object.program("sluice_egress"), interface: "up0" }),
];
object
  .map("settings")
  .mmap()
  .set([hashKey.k0, hashKey.k1, 15, ROWS - 1]);
const index = (name: string) => findLink(name)!.index;
setDoorPort(object.map("ports"), index("up0"), { id: 1, pairInterfaceIndex: index("sl0") });
setDoorPort(object.map("ports"), index("sl1"), { id: 2, dropOthers: true });
object.map("xsks").update(words(64), words(uplink.fd));
object.map("xsks").update(words(2 * 64), words(inside.fd));
object.map("owned6").update(mapped("2001:db8:1::1"), words(1));
object.map("owned6").update(mapped("2001:db8:6::77"), words(3));
offerFrames(umem, uplink, 0, 32);
offerFrames(umem, inside, 32, 32);

const pod = createSocket("udp6");
beforeAll(() => new Promise<void>((resolve) => pod.bind(8080, "2001:db8:6::1", resolve)));
afterAll(() => {
  pod.close();
  for (const one of [...links.map((link) => ({ close: () => link.detach() })), uplink, inside, umem, object])
    one.close();
});

const ascii = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const counters = () => readXdpCounters(object.map("xdp_counters"));

test("a request of a neighbour to a served address comes to the socket, whole", () => {
  neighbour.run("bash", "printf 'hello, service' > /dev/udp/2001:db8:1::1/80");
  const frame = receive(umem, uplink)!;
  expect(frame.subarray(38, 54)).toEqual(mapped("2001:db8:1::1"));
  expect(ascii(frame.subarray(62))).toBe("hello, service");
});

test("its question for an address on the link comes to the socket", () => {
  neighbour.run("bash", "printf x > /dev/udp/2001:db8:6::77/80");
  const frame = receive(umem, uplink)!;
  expect(frame[54]).toBe(135);
  expect(frame.subarray(62, 78)).toEqual(mapped("2001:db8:6::77"));
  expect(counters().redirectNdp).toBeGreaterThan(0);
});

test("the node itself stays reachable", async () => {
  const message = once(pod, "message");
  neighbour.run("bash", "printf 'hello, node' > /dev/udp/2001:db8:6::1/8080");
  expect(ascii((await message)[0])).toBe("hello, node");
});

const answer = async (text: string) => {
  await new Promise((resolve) => pod.send(text, 4242, "2001:db8:6::2", resolve));
  await sleep(20);
};
const publish = () =>
  writeRow(
    object.map("flows6").mmap(),
    hashKey,
    { source: "2001:db8:6::1", destination: "2001:db8:6::2", sourcePort: 8080, destinationPort: 4242, protocol: 17 },
    { live: true, reply: true },
  );

test("a reply of the node's stack is turned to the inside socket while its flow is live", async () => {
  await answer("before the flow");
  expect(counters()).toMatchObject({ egressReply: 0 });
  publish();
  await answer("hello, client");
  const frame = receive(umem, inside)!;
  expect(ascii(frame.subarray(62))).toBe("hello, client");
  expect(counters()).toMatchObject({ egressReply: 1, redirectReply: 1 });
});

test("a reply that the stack had to cut is turned to the inside in all its pieces", async () => {
  publish();
  await answer("x".repeat(4000));
  const pieces = [receive(umem, inside)!, receive(umem, inside)!, receive(umem, inside)!];
  expect(pieces.map((piece) => piece[20])).toEqual([44, 44, 44]);
  expect(pieces.reduce((sum, piece) => sum + ascii(piece.subarray(62)).replaceAll(/[^x]/g, "").length, 0)).toBe(4000);
  expect(counters()).toMatchObject({ egressReplyFragment: 2, redirectReplyFragment: 2 });
});

test("an error of the node's stack about a translated request is turned to the inside", async () => {
  // The request goes to a port of the node that nobody listens on, and the stack complains.
  writeRow(
    object.map("flows6").mmap(),
    hashKey,
    { source: "2001:db8:6::1", destination: "2001:db8:6::2", sourcePort: 9, destinationPort: 5555, protocol: 17 },
    { live: true, reply: true },
  );
  const client = "const s = require('dgram').createSocket('udp6')";
  neighbour.run(
    `${process.execPath} -`,
    `${client}; s.bind(5555, () => s.send("x", 9, "2001:db8:6::1", () => s.close()))`,
  );
  const frame = receive(umem, inside)!;
  expect([frame[20], frame[54], frame[55]]).toEqual([58, 1, 4]);
  expect(counters()).toMatchObject({ egressReplyError: 1, redirectReplyError: 1 });
});

/**
 * A reply of the node's own stack on its way out, turned back to the worker's socket:
 *
 *   UDP socket 10.6.0.1:8080 -> stack -> up0 [tc egress: sluice_egress] -> sl0 ~~~ sl1 [native XDP: sluice_xdp] -> socket
 */
import { createSocket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "../../src/dataplane/flow-key.ts";
import { TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import { FlowTable4 } from "../../src/dataplane/flow-table4.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { rawAddress, rawPorts, storeMapped } from "../../src/wire/raw.ts";
import { attachEgress, attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { setOffload } from "../../src/xdp/ethtool.ts";
import { createVethPair, findLink, setLink } from "../../src/xdp/netlink.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, run } from "./own-namespace.ts";
import { offerFrames, receive, SMALL_RINGS, words } from "./traffic.ts";

moveIntoOwnNamespace();
for (const [name, peer] of [
  ["up0", "up1"],
  ["sl0", "sl1"],
] as const) {
  createVethPair({ name, peer, queues: 1 });
  for (const end of [name, peer]) {
    run(`sysctl -qw net.ipv6.conf.${end}.disable_ipv6=1`);
    setLink(findLink(end)!, { up: true });
  }
}
// What finishes checksums and cuts superframes on the way to the socket.
setOffload("sl0", "txChecksum", false);
run("ip addr add 10.6.0.1/24 dev up0");
run("ip neigh add 10.6.0.2 lladdr 02:00:00:00:00:66 dev up0");

const ROWS = 256;
const key = { k0: 7, k1: 9 };
const object = BpfObject.load(undefined, { maxEntries: { flows: ROWS } });
const table = new FlowTable4(object.map("flows").mmap(), key);
const umem = new Umem({ frameCount: 64, frameSize: 2048 });
const socket = new XskSocket(umem, { interface: "sl1", queue: 0, ...SMALL_RINGS });
const links = [
  attachXdp({ program: object.program("sluice_xdp"), interface: "sl1", mode: "native" }),
  attachEgress({ program: object.program("sluice_egress"), interface: "up0" }),
];
object
  .map("settings")
  .mmap()
  .set([key.k0, key.k1, ROWS - 1]);
setDoorPort(object.map("ports"), findLink("up0")!.index, { id: 1, pairInterfaceIndex: findLink("sl0")!.index });
setDoorPort(object.map("ports"), findLink("sl1")!.index, { id: 2, dropOthers: true });
object.map("xsks").update(words(2 * 64), words(socket.fd));
offerFrames(umem, socket, 0, 32);

const pod = createSocket("udp4");
afterAll(() => {
  pod.close();
  for (const one of [...links.map((link) => ({ close: () => link.detach() })), socket, umem, object]) one.close();
});

test("goes to the socket while its flow is live, with the next hop's MAC and a finished checksum", async () => {
  await new Promise<void>((resolve) => pod.bind(8080, "10.6.0.1", resolve));
  const [source, destination] = ["10.6.0.1", "10.6.0.2"].map((text) => rawAddress(parseIpv4(text)!)) as [
    number,
    number,
  ];
  const ports = rawPorts(8080, 4242);
  const key = newFlowKey();
  storeMapped(key, KEY_SOURCE, source);
  storeMapped(key, KEY_DESTINATION, destination);
  key[KEY_PORTS] = ports;
  key[KEY_PROTOCOL] = 17;
  const answer = async (text: string) => {
    await new Promise((resolve) => pod.send(text, 4242, "10.6.0.2", resolve));
    await sleep(20);
  };
  const counters = () => readXdpCounters(object.map("xdp_counters"));

  await answer("before the flow");
  expect(counters().egressReply).toBe(0);

  const row = table.claim(table.hashKey(key), key, 17, TAG_REPLY, 1);
  await answer("claimed, not live");
  expect(counters().egressReply).toBe(0);

  table.publish(row);
  await answer("hello, client");
  const frame = receive(umem, socket)!;
  expect(Buffer.from(frame.subarray(0, 6)).toString("hex")).toBe("020000000066");
  expect(Buffer.from(frame.subarray(42)).toString()).toBe("hello, client");
  expect(udpChecksumIsRight(frame)).toBe(true);
  expect(counters()).toMatchObject({ egressReply: 1, redirectReply: 1, dropNotOurs: 0 });

  table.withdraw(row, 2);
  await answer("after the flow");
  expect(counters().egressReply).toBe(1);
});

/** RFC 768: the ones' complement sum over pseudo-header, header and data is all ones. */
function udpChecksumIsRight(frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const length = view.getUint16(38);
  let sum = 17 + length;
  for (let at = 26; at < 34 + length; at += 2) {
    sum += at + 1 < 34 + length ? view.getUint16(at) : view.getUint8(at) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return view.getUint16(40) !== 0 && sum === 0xffff;
}

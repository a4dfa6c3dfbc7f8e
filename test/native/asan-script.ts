/**
 * A walk through everything that touches memory, for a run under AddressSanitizer: `memory-safety.test.ts` starts it in
 * a namespace with the veth pair given as arguments. It prints "done" at the end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { attachEgress } from "../../src/xdp/attach.ts";
import { authenticator } from "../../src/xdp/authenticator.ts";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { native } from "../../src/xdp/native.ts";
import { addAddress, createVethPair, deleteLink, findLink, resolveNeighbor } from "../../src/xdp/netlink.ts";
import { NetworkMirror } from "../../src/xdp/network-mirror.ts";
import { connectTcp, listeningPort, listenTcp } from "../../src/xdp/tcp-socket.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { EventFd, monotonic, POLLIN, poll } from "../../src/xdp/wait.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { ipv4Frame } from "./frames.ts";
import { EVERY_MILLISECONDS, RestingHeart } from "./resting-heart.ts";
import { offerFrames, receive, SMALL_RINGS, steer, transmit, words } from "./traffic.ts";

const [near, far] = process.argv.slice(2) as [string, string];
const frame = ipv4Frame({ source: "198.51.100.7", destination: "192.0.2.1", lengthBytes: 1500 });
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function expectThrow(action: () => unknown): void {
  try {
    action();
  } catch {
    return;
  }
  throw new Error(`did not throw: ${action}`);
}

async function traffic(close: (resources: { close(): void }[]) => { close(): void }[]): Promise<void> {
  const umem = new Umem({ frameCount: 256, frameSize: 2048 });
  const a = new XskSocket(umem, { interface: near, queue: 0, ...SMALL_RINGS });
  const b = new XskSocket(umem, { interface: far, queue: 0, ...SMALL_RINGS });
  const steering = steer(b, "192.0.2.1");
  offerFrames(umem, b, 0, 32);
  for (let i = 0; i < 100; i++) {
    transmit(umem, a, 100 + (i % 64), frame);
    a.completion.release(a.completion.peek(64));
    if (receive(umem, b) === null) throw new Error(`frame ${i} did not arrive`);
    offerFrames(umem, b, i % 32, 1);
  }
  a.statistics(new Float64Array(6));
  if (readXdpCounters(steering.object.map("xdp_counters")).redirectOwned !== 100) throw new Error("wrong count");
  for (const resource of close([umem, a, b, steering])) resource.close();
  // Whatever was closed can still be touched.
  umem.bytes.fill(1);
  a.tx.submit(a.tx.reserve(64));
  b.rx.release(b.rx.peek(64));
  a.kick();
}

function maps(): void {
  const umem = new Umem({ frameCount: 64, frameSize: 2048 });
  const xsk = new XskSocket(umem, { interface: near, queue: 0, ...SMALL_RINGS });
  const steering = steer(xsk, "192.0.2.1");
  const { object } = steering;
  const flows = object.map("flows").mmap();
  flows.fill(0x01010101);
  const keys = Array.from({ length: 300 }, (_, i) => i);
  const owned = object.map("owned4");
  owned.updateBatch(words(...keys), words(...keys), keys.length);
  owned.entries();
  owned.deleteBatch(words(...keys, 9999), keys.length + 1);
  object.program("sluice_xdp").testRun(frame, { repeat: 10 });
  object.program("sluice_egress").testRun(frame);
  expectThrow(() => object.program("sluice_xdp").testRun(new Uint8Array(1)));
  expectThrow(() => owned.lookup(new Uint8Array(3), new Uint8Array(4)));
  expectThrow(() => BpfMap.fromFd(object.program("sluice_xdp").fd));
  attachEgress({ program: object.program("sluice_egress"), interface: near }).detach();
  const filter = new native.Link("clsact", object.program("sluice_egress").fd, near);
  filter.close();
  steering.close();
  flows.fill(2);
  xsk.close();
  umem.close();
}

function refusals(): void {
  const umem = new Umem({ frameCount: 64, frameSize: 2048 });
  const open = (options: object) => new XskSocket(umem, { interface: near, queue: 0, ...SMALL_RINGS, ...options });
  const holder = open({});
  for (const options of [
    { interface: "nope0" },
    { queue: 9 },
    { rxSize: 63 },
    { queue: 0 },
    { interface: "x".repeat(300) },
  ]) {
    expectThrow(() => open(options));
  }
  holder.close();
  umem.close();
  expectThrow(() => open({}));
  expectThrow(() => new native.BpfObject("/nowhere", {}));
  expectThrow(() => new native.BpfObject(process.execPath, {}));
  for (const [name, value] of Object.entries(native)) {
    if (["EventFd", "closeFd", "readBeyond"].includes(name)) continue;
    for (const argument of [
      undefined,
      null,
      -1,
      Number.NaN,
      "x".repeat(5000),
      {},
      new Uint8Array(0),
      new Float64Array(1),
    ]) {
      try {
        const given = Array<unknown>(6).fill(argument);
        if (/^[A-Z]/.test(name)) new (value as new (...given: unknown[]) => unknown)(...given);
        else (value as (...given: unknown[]) => unknown)(...given);
      } catch {}
    }
  }
}

async function network(): Promise<void> {
  const mirror = new NetworkMirror();
  createVethPair({ name: "made0", peer: "made1", queues: 2 });
  const made = findLink("made0")!;
  addAddress(made, parseIpAddress("2001:db8::1")!, 64);
  expectThrow(() => createVethPair({ name: "made0", peer: "made1", queues: 2 }));
  expectThrow(() => resolveNeighbor(99_999, parseIpAddress("192.0.2.1")!));
  deleteLink(made);
  await sleep(50);
  mirror.snapshot();
  mirror.close();
  const { server } = listenTcp({ address: "::1", port: 0, md5: [{ peer: "::1", key: "k" }] }, (socket) =>
    socket.end("x"),
  );
  await new Promise((resolve) => server.on("listening", resolve));
  const client = connectTcp({ remoteAddress: "::1", remotePort: listeningPort(server), md5Key: "k" });
  await new Promise((resolve) => client.on("close", resolve).resume());
  server.close();
  expectThrow(() => connectTcp({ remoteAddress: "::1", remotePort: 1, md5Key: "k".repeat(81) }));
}

function waits(): void {
  const event = new EventFd();
  const entries = new Int32Array([event.fd, POLLIN, 0, -1, 0, 0]);
  event.signal();
  poll(entries, 2, 0);
  event.clear();
  monotonic(new Float64Array(1));
  expectThrow(() => poll(entries, 3, 0));
  event.close();
}

function codes(): void {
  for (const keyLength of [0, 1, 64]) {
    const authenticate = authenticator(new Uint8Array(keyLength));
    for (const length of [0, 1, 64, 2048]) authenticate(new Uint8Array(length), length);
    expectThrow(() => authenticate(new Uint8Array(1), 2));
  }
  expectThrow(() => authenticator(new Uint8Array(65)));
  expectThrow(() => new native.Authenticator(new Uint8Array(32)).compute(new Uint8Array(1), 1, new Uint8Array(31)));
}

/** A heart that beats, hears itself as a stranger, is woken, closed while it beats, and refuses to beat after that. */
async function rests(): Promise<void> {
  for (const ends of [true, false]) {
    const heart = new RestingHeart("127.0.6.4", 19_476);
    heart.rest([heart.address, heart.address], ["b"], { patience: EVERY_MILLISECONDS });
    for (let beat = 0; beat < 100 && heart.woken === 0; beat++) await sleep(EVERY_MILLISECONDS);
    if (heart.woken !== 1) throw new Error("the heart was not woken by what it has said itself");
    heart.resting.end();
    heart.rest([heart.address], []);
    await sleep(2 * EVERY_MILLISECONDS);
    if (ends) heart.resting.end();
    heart.close();
    expectThrow(() => heart.rest([], []));
  }
  const { RestingBeat } = native;
  expectThrow(() => new RestingBeat({} as never, [], new Int32Array(0), new Float64Array(0), () => {}));
}

/** Threads that end with everything open. */
async function deaths(): Promise<void> {
  const path = new URL("hold-everything.ts", import.meta.url);
  for (let round = 0; round < 3; round++) {
    const thread = new Worker(path, { argv: [far], stdout: true });
    await new Promise((resolve) => thread.stdout.once("data", resolve));
    await thread.terminate();
  }
}

for (const order of [
  (all: { close(): void }[]) => all,
  (all: { close(): void }[]) => all.toReversed(),
  ([umem, a, b, steering]: { close(): void }[]) => [a!, umem!, umem!, steering!, b!, a!],
]) {
  await traffic(order);
}
maps();
refusals();
await network();
waits();
codes();
await rests();
await deaths();
for (let i = 0; i < 5; i++) {
  await sleep(10);
  collectGarbage();
}
process.stdout.write("done\n");

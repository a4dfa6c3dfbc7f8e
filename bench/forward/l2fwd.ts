/**
 * The smallest forwarder on the same sockets as the workers': frames of one interface leave by the other with new MACs.
 * The TypeScript half of the pair whose other half is `xsk ... l2fwd`.
 *
 *   l2fwd.ts OBJECT WAN LAN       until SIGTERM; says "forwarding" when it does
 */
import { writeSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { POLL_WORDS, POLLIN, poll } from "../../src/xdp/wait.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { BACKEND_MAC, LAN_MAC } from "../../test/fixtures/gateway.ts";

const BATCH = 64;
const RING_SLOTS = 2048;
const FRAME_BYTES = 2048;
const IDLE_TURNS = 500;
const MAX_KICKS = (RING_SLOTS / 32) * 2;

if (isMainThread) {
  // The main thread is for signals; the loop never returns to its own.
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv.slice(2) });
  worker.on("error", (error) => {
    throw error;
  });
  process.once("SIGTERM", () => process.exit(0));
} else {
  forward(workerData as string[]);
}

function forward([path, ...names]: readonly string[]): void {
  const umem = new Umem({ frameCount: names.length * RING_SLOTS * 2, frameSize: FRAME_BYTES, headroom: 2 });
  const options = { queue: 0, bind: "copy" as const };
  const sockets = names.map((name) => new XskSocket(umem, { interface: name, ...options }));
  const links = sockets.map((socket) => {
    const object = BpfObject.load(path);
    object.map("sockets").update(words(0), words(socket.fd));
    return attachXdp({ program: object.program("to_socket"), interface: socket.interface, mode: "generic" });
  });
  const pool = Int32Array.from({ length: umem.frameCount }, (_, frame) => frame * FRAME_BYTES);
  let pooled = pool.length;
  const macs = new DataView(
    Uint8Array.from(`${BACKEND_MAC}:${LAN_MAC}`.split(":"), (octet) => parseInt(octet, 16)).buffer,
  );
  const [first, second, third] = [0, 4, 8].map((at) => macs.getInt32(at, true)) as [number, number, number];
  const { view } = umem;
  const pollEntries = new Int32Array(sockets.length * POLL_WORDS);
  sockets.forEach((socket, index) => {
    refill(socket);
    pollEntries[index * POLL_WORDS] = socket.fd;
    pollEntries[index * POLL_WORDS + 1] = POLLIN;
  });
  writeSync(1, "forwarding\n");
  for (let idle = 0; links.length > 0; ) {
    if (turn() > 0) idle = 0;
    else if (++idle > IDLE_TURNS) {
      poll(pollEntries, sockets.length, 1000);
      idle = 0;
    }
  }

  function turn(): number {
    let received = 0;
    for (let index = 0; index < sockets.length; index++) {
      const { rx } = sockets[index]!;
      reclaim(sockets[index]!);
      const count = rx.peek(BATCH);
      if (count === 0) continue;
      received += count;
      const { tx } = sockets[1 - index]!;
      for (let i = 0; i < count; i++) {
        const from = rx.index(i) * 4;
        const address = rx.descriptors[from]!;
        view.setInt32(address, first, true);
        view.setInt32(address + 4, second, true);
        view.setInt32(address + 8, third, true);
        if (tx.reserve(1) === 0) {
          pool[pooled++] = address & ~(FRAME_BYTES - 1);
          continue;
        }
        const to = tx.index(0) * 4;
        tx.descriptors[to] = address;
        tx.descriptors[to + 1] = 0;
        tx.descriptors[to + 2] = rx.descriptors[from + 2]!;
        tx.descriptors[to + 3] = 0;
        tx.submit(1);
      }
      rx.release(count);
      refill(sockets[index]!);
    }
    for (let index = 0; index < sockets.length; index++) flush(sockets[index]!);
    return received;
  }

  function reclaim({ completion }: XskSocket): void {
    const done = completion.peek(RING_SLOTS);
    if (done === 0) return;
    for (let i = 0; i < done; i++) {
      pool[pooled++] = completion.descriptors[completion.index(i) * 2]! & ~(FRAME_BYTES - 1);
    }
    completion.release(done);
  }

  function refill({ fill }: XskSocket): void {
    const count = fill.reserve(Math.min(RING_SLOTS, pooled));
    for (let i = 0; i < count; i++) {
      const slot = fill.index(i) * 2;
      fill.descriptors[slot] = pool[--pooled]!;
      fill.descriptors[slot + 1] = 0;
    }
    if (count > 0) fill.submit(count);
  }

  function flush(socket: XskSocket): void {
    if (socket.tx.pending() === 0) return;
    for (let kicks = 0; kicks < MAX_KICKS && socket.kick(); kicks++) reclaim(socket);
  }
}

function words(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** Threads that end without closing anything, and maps and events shared between threads. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { EventFd, monotonic, POLLIN, poll, signalEvent } from "../../src/xdp/wait.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { SMALL_RINGS, words } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("la", "lb");

const object = BpfObject.load(undefined, { maxEntries: { flows: 64 } });
afterAll(() => object.close());

/** A worker that opens a socket on `la` and then does what `ending` says. */
function worker(ending: string): Worker {
  const source = (path: string) => JSON.stringify(new URL(`../../src/xdp/${path}.ts`, import.meta.url).href);
  const code = `
    import { parentPort, workerData } from "node:worker_threads";
    const { Umem } = await import(${source("umem")});
    const { XskSocket } = await import(${source("xsk")});
    const { BpfMap } = await import(${source("bpf-map")});
    const { NetworkMirror } = await import(${source("network-mirror")});
    const { EventFd, poll, signalEvent, POLLIN } = await import(${source("wait")});
    const umem = new Umem({ frameCount: 64, frameSize: 2048 });
    const xsk = new XskSocket(umem, { interface: "la", queue: 0, ...${JSON.stringify(SMALL_RINGS)} });
    const mirror = new NetworkMirror();
    const map = BpfMap.fromFd(workerData.flows);
    const words = map.mmap();
    const event = new EventFd();
    parentPort.postMessage("open");
    ${ending}`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { flows: object.map("flows").fd },
  });
}

function expectFreeQueue(): void {
  const umem = new Umem({ frameCount: 64, frameSize: 2048 });
  new XskSocket(umem, { interface: "la", queue: 0, ...SMALL_RINGS }).close();
  umem.close();
}

describe("a worker that holds a socket", () => {
  test.each([
    ["is terminated while idle", "setInterval(() => {}, 1000);"],
    ["is terminated while it spins on its rings", "for (;;) xsk.rx.peek(64);"],
    ["is terminated between two polls", "for (;;) poll(new Int32Array([xsk.fd, POLLIN, 0]), 1, 20);"],
  ])("and %s leaves the queue free", async (_name, ending) => {
    for (let round = 0; round < 3; round++) {
      const thread = worker(ending);
      await once(thread, "message");
      await sleep(20);
      await thread.terminate();
      expectFreeQueue();
    }
  });

  test.each([
    ["throws", 'throw new Error("a bug");'],
    ["ends by itself", "mirror.close();"],
    ["exits", "process.exit(3);"],
  ])("and %s leaves the queue free", async (_name, ending) => {
    const thread = worker(ending);
    thread.on("error", () => undefined);
    await new Promise((resolve) => thread.on("exit", resolve));
    expectFreeQueue();
  });

  test("is woken from a poll by an event that another thread signals", async () => {
    const thread = worker(`
      parentPort.postMessage(event.fd);
      const entries = new Int32Array([xsk.fd, POLLIN, 0, event.fd, POLLIN, 0]);
      const ready = poll(entries, 2, 10_000);
      event.clear();
      parentPort.postMessage([ready, entries[5], poll(entries, 2, 0)]);
      mirror.close();`);
    await once(thread, "message");
    const [fd] = await once(thread, "message");
    await sleep(20);
    const before = performance.now();
    signalEvent(fd);
    const [answer] = await once(thread, "message");
    expect(answer).toEqual([1, POLLIN, 0]);
    expect(performance.now() - before).toBeLessThan(1000);
    await once(thread, "exit");
  });

  test("shares the flow table's memory with others, without a system call", async () => {
    const flows = object.map("flows").mmap();
    flows[16] = 0;
    const thread = worker("Atomics.add(words, 16, 41); Atomics.add(words, 16, 1); map.close(); mirror.close();");
    await once(thread, "exit");
    expect(Atomics.load(flows, 16)).toBe(42);
  });
});

describe("a BPF map", () => {
  test("reads, writes, lists and deletes, singly and in batches", () => {
    const map = object.map("owned4");
    const value = new Uint8Array(4);
    expect(map.lookup(words(7), value)).toBe(false);
    map.update(words(7), words(70));
    expect(map.lookup(words(7), value)).toBe(true);
    expect(value).toEqual(words(70));
    const keys = Array.from({ length: 5000 }, (_, i) => i + 100);
    map.updateBatch(words(...keys), words(...keys.map((key) => key * 2)), keys.length);
    const found = map.entries().map(({ key, value }) => [read(key), read(value)]);
    expect(found).toHaveLength(5001);
    expect(found.every(([key, value]) => value === (key === 7 ? 70 : key! * 2))).toBe(true);
    map.deleteBatch(words(1, 100, 2, 101, 3), 5);
    expect(map.entries()).toHaveLength(4999);
    expect(map.delete(words(7))).toBe(true);
    expect(map.delete(words(7))).toBe(false);
    map.deleteBatch(words(...keys), keys.length);
    expect(map.entries()).toHaveLength(0);
  });

  test("checks every buffer's size before the kernel writes to it", () => {
    const map = object.map("settings");
    expect(map).toMatchObject({ keySize: 4, valueSize: 64, maxEntries: 1 });
    expect(() => map.lookup(new Uint8Array(3), new Uint8Array(64))).toThrow("key must have at least 4 bytes");
    expect(() => map.lookup(words(0), new Uint8Array(63))).toThrow("value must have at least 64 bytes");
    expect(() => map.updateBatch(words(0), words(0, 0, 0, 0), 2)).toThrow("key must have at least 8 bytes");
    expect(() => map.updateBatch(words(0), words(0), 0xffffffff)).toThrow("must have at least");
  });

  test("has memory that outlives it as zeros, whoever closes first", () => {
    const one = BpfMap.fromFd(object.map("settings").fd);
    const two = BpfMap.fromFd(one.fd);
    const first = one.mmap();
    const second = two.mmap();
    first[0] = 5;
    expect(second[0]).toBe(5);
    one.close();
    one.close();
    expect([first[0], second[0]]).toEqual([0, 5]);
    expect(() => one.lookup(words(0), new Uint8Array(24))).toThrow("is closed");
    second[0] = 0;
    two.close();
  });

  test("is refused for a descriptor that is something else", () => {
    const event = new EventFd();
    expect(() => BpfMap.fromFd(event.fd)).toThrow("EINVAL");
    expect(() => BpfMap.fromFd(object.program("sluice_xdp").fd)).toThrow("EINVAL");
    expect(() => BpfMap.fromFd(99_999)).toThrow("EBADF");
    event.close();
  });
});

describe("waiting", () => {
  test("returns after its timeout, and at once for an event", () => {
    const event = new EventFd();
    const entries = new Int32Array([event.fd, POLLIN, 7]);
    const clock = new Float64Array(1);
    monotonic(clock);
    const before = clock[0]!;
    expect(poll(entries, 1, 20)).toBe(0);
    monotonic(clock);
    expect(clock[0]! - before).toBeGreaterThanOrEqual(20e6);
    expect(entries[2]).toBe(0);
    event.signal();
    event.signal();
    expect(poll(entries, 1, -1)).toBe(1);
    expect(entries[2]).toBe(POLLIN);
    event.clear();
    event.clear();
    expect(poll(entries, 1, 0)).toBe(0);
    event.close();
    event.close();
    event.signal();
  });

  test("refuses arguments that do not fit together", () => {
    expect(() => poll(new Int32Array(3), 2, 0)).toThrow("count is larger than the entries");
    expect(() => poll(new Int32Array(3000), 1000, 0)).toThrow("count is larger");
    expect(() => poll(new Float64Array(3) as unknown as Int32Array, 1, 0)).toThrow(TypeError);
    expect(() => monotonic(new Float64Array(0))).toThrow(TypeError);
  });

  test("allocates nothing", () => {
    const entries = new Int32Array([-1, POLLIN, 0]);
    const clock = new Float64Array(1);
    const round = (times: number) => {
      for (let i = 0; i < times; i++) {
        poll(entries, 1, 0);
        monotonic(clock);
      }
    };
    round(20_000);
    const before = process.memoryUsage().heapUsed;
    round(200_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200_000);
  });
});

function read(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** The counters of an offloaded flow, while XDP and a worker count its frames side by side: none is missing. */
import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { rowCounter, TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import { FlowTable4, ROW_WORDS } from "../../src/dataplane/flow-table4.ts";
import { SETTINGS_OPEN } from "../../src/xdp/door-maps.ts";
import { segmentFrame } from "../fixtures/segments.ts";
import type { CountingTask } from "./counting-thread.ts";
import { HASH_KEY, openingStage, PORT_MAC, VIP } from "./opening-stage.ts";

const ROWS = 1 << 12;
const MILLISECONDS = 2000;
const XDP_TX = 3;
const WORKERS_FRAME_BYTES = 1000;

const stage = openingStage(ROWS, SETTINGS_OPEN);
afterAll(() => stage.close());

test("packets and bytes are the sum of what both have seen", async () => {
  const segment = (flags: number) =>
    segmentFrame({
      ...{ destinationMac: PORT_MAC, sourceMac: "02:00:00:00:0a:00", source: "203.0.113.7", destination: VIP },
      ...{ sourcePort: 40000, destinationPort: 80, protocol: "TCP", flags },
    });
  const [syn, ack] = [segment(2), segment(16)];
  expect(stage.run(syn).returnValue).toBe(XDP_TX);
  const flows = new FlowTable4(stage.object.map("flows").mmap(), HASH_KEY);
  const { words, layout } = flows;
  const row = Array.from({ length: ROWS }, (_, slot) => slot * ROW_WORDS).find(
    (at) => flows.isLive(at) && (words[at + layout.tag]! & TAG_REPLY) === 0,
  )!;
  const task: CountingTask = {
    ...{ flowsFd: stage.object.map("flows").fd, row },
    ...{ frameBytes: WORKERS_FRAME_BYTES, milliseconds: MILLISECONDS },
  };
  const worker = new Worker(new URL("./counting-thread.ts", import.meta.url), { workerData: task });
  const worked = new Promise<number>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  let forwarded = 1;
  let byWorker: number | null = null;
  while (byWorker === null) {
    for (let turn = 0; turn < 256; turn++, forwarded++) stage.run(ack);
    byWorker = await Promise.race([worked, new Promise<null>((resolve) => setImmediate(() => resolve(null)))]);
  }
  await worker.terminate();
  expect(forwarded).toBeGreaterThan(5000);
  expect(byWorker).toBeGreaterThan(100_000);
  expect(rowCounter(words, row + layout.packets)).toBe(forwarded + byWorker);
  const bytes = syn.length + (forwarded - 1) * ack.length + byWorker * WORKERS_FRAME_BYTES;
  expect(rowCounter(words, row + layout.bytes)).toBe(bytes);
}, 60_000);

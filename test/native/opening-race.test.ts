/**
 * XDP and a worker open and end the same flows side by side. Afterwards every flow has its two rows at most once, the
 * table's counts are those of the rows in it, and no lock is held; meanwhile no frame leaves with anything but the flow's
 * whole translation.
 */
import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { newFlowKey } from "../../src/dataplane/flow-key.ts";
import { TAG_CLAIMED, TAG_LIVE, TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import { FlowTable4, ROW_TAG, ROW_WORDS } from "../../src/dataplane/flow-table4.ts";
import { SETTINGS_OPEN } from "../../src/xdp/door-maps.ts";
import { segmentFrame } from "../fixtures/segments.ts";
import { BACKEND, HASH_KEY, openingStage, PORT_MAC, VIP } from "./opening-stage.ts";
import type { OpeningTask } from "./opening-thread.ts";

const ROWS = 1 << 16;
const KEYS = 3000;
const FIRST_PORT = 20_000;
const CLIENT = "203.0.113.7";
const MILLISECONDS = 5000;
const XDP_TX = 3;
const TAG_LOCKED = 1 << 23;

const stage = openingStage(ROWS, SETTINGS_OPEN);
afterAll(() => stage.close());

test("rows, counts and translations stay whole while both open and end the same flows", async () => {
  const frames = Array.from({ length: KEYS }, (_, index) =>
    segmentFrame({
      ...{ destinationMac: PORT_MAC, sourceMac: "02:00:00:00:0a:00", source: CLIENT, destination: VIP },
      ...{ sourcePort: FIRST_PORT + index, destinationPort: 80, protocol: "TCP", flags: 2 },
    }),
  );
  const task: OpeningTask = {
    flowsFd: stage.object.map("flows").fd,
    loadFd: stage.object.map("backend_load").fd,
    ...{ client: CLIENT, firstPort: FIRST_PORT, keys: KEYS, milliseconds: MILLISECONDS },
  };
  const worker = new Worker(new URL("./opening-thread.ts", import.meta.url), { workerData: task });
  const worked = new Promise<{ opened: number; ended: number }>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const wrong: string[] = [];
  let forwarded = 0;
  const end = performance.now() + MILLISECONDS;
  for (let turn = 0; performance.now() < end; turn++) {
    const { returnValue, data } = stage.run(frames[(turn * 7) % KEYS]!);
    if (returnValue === XDP_TX) {
      forwarded++;
      const view = new DataView(data.buffer, data.byteOffset);
      const to = `${[...data.subarray(30, 34)].join(".")}:${view.getUint16(36)}`;
      if (to !== `${BACKEND}:8080`) wrong.push(to);
    }
    if (turn % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { opened, ended } = await worked;
  await worker.terminate();

  expect(wrong).toEqual([]);
  expect(forwarded).toBeGreaterThan(1000);
  expect(stage.counters().open).toBeGreaterThan(1000);
  expect(opened).toBeGreaterThan(1000);
  expect(ended).toBeGreaterThan(1000);
  const { live, requests, misplaced } = inspect(stage.object.map("flows").mmap());
  expect(new Set(live).size).toBe(live.length);
  expect(misplaced).toEqual([]);
  expect(
    stage.object
      .map("backend_load")
      .mmap()
      .reduce((sum, count) => sum + count, 0),
  ).toBe(requests);
}, 60_000);

/** The keys of all live rows, and the slots whose counts or locks are not what these say. */
function inspect(words: Int32Array): { live: string[]; requests: number; misplaced: number[] } {
  const table = new FlowTable4(words, HASH_KEY);
  const key = newFlowKey();
  const passed = new Int32Array(ROWS);
  const live: string[] = [];
  let requests = 0;
  for (let slot = 0; slot < ROWS; slot++) {
    const row = slot * ROW_WORDS;
    if ((words[row + ROW_TAG]! & TAG_LIVE) === 0) continue;
    table.loadKey(row, key);
    live.push(key.join());
    if ((words[row + ROW_TAG]! & TAG_REPLY) === 0) requests++;
    const hash = table.hashKey(key);
    for (let step = 0; step < table.distance(row, hash); step++) passed[(hash + step) & (ROWS - 1)]!++;
  }
  const isMisplaced = (slot: number) => {
    const tag = words[slot * ROW_WORDS + ROW_TAG]!;
    return tag >>> 24 !== passed[slot] || (tag & (TAG_LOCKED | TAG_CLAIMED)) !== 0;
  };
  return { live, requests, misplaced: Array.from(passed.keys()).filter(isMisplaced) };
}

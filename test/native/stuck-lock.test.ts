/** A worker that was stopped or killed with the lock of a home slot: XDP takes it from it, and opens the flow. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "../../src/dataplane/flow-key.ts";
import { FlowTable4, ROW_TAG } from "../../src/dataplane/flow-table4.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { rawPorts, storeAddress } from "../../src/wire/raw.ts";
import { SETTINGS_OPEN } from "../../src/xdp/door-maps.ts";
import { segmentFrame } from "../fixtures/segments.ts";
import { HASH_KEY, openingStage, PORT_MAC, VIP } from "./opening-stage.ts";

const CLIENT = "203.0.113.7";
const PORT = 20_000;
const TCP = 6;
const TAG_LOCKED = 1 << 23;
const XDP_TX = 3;
/** XDP waits for a tenth of a second. */
const STUCK_MILLISECONDS = 150;

const stage = openingStage(1 << 10, SETTINGS_OPEN);
afterAll(() => stage.close());

test("a flow whose home has been locked for a tenth of a second is opened by XDP, and the lock is free again", async () => {
  const words = stage.object.map("flows").mmap();
  const flows = new FlowTable4(words, HASH_KEY);
  const key = newFlowKey();
  storeAddress(key, KEY_SOURCE, parseIpAddress(CLIENT)!);
  storeAddress(key, KEY_DESTINATION, parseIpAddress(VIP)!);
  key[KEY_PORTS] = rawPorts(PORT, 80);
  key[KEY_PROTOCOL] = TCP;
  const tag = flows.slot(flows.hashKey(key), 0) + ROW_TAG;
  const syn = segmentFrame({
    ...{ destinationMac: PORT_MAC, sourceMac: "02:00:00:00:0a:00", source: CLIENT, destination: VIP },
    ...{ sourcePort: PORT, destinationPort: 80, protocol: "TCP", flags: 2 },
  });
  flows.lock(flows.hashKey(key));

  expect(stage.run(syn).returnValue).not.toBe(XDP_TX);
  expect(stage.counters().open).toBe(0);
  await sleep(STUCK_MILLISECONDS);
  expect(stage.run(syn).returnValue).toBe(XDP_TX);
  expect(stage.counters().open).toBe(1);
  expect(words[tag]! & TAG_LOCKED).toBe(0);
});

test("a process that comes after a dead one frees all locks and leaves the rows as they are", () => {
  const words = stage.object.map("flows").mmap();
  const flows = new FlowTable4(words, HASH_KEY);
  const before = words.slice();
  for (const hash of [3, 70, 901]) flows.lock(hash);
  expect(words).not.toEqual(before);
  flows.unlockAll();
  expect(words).toEqual(before);
});

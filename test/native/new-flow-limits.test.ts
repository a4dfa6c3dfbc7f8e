/** What the door refuses of new flows: too many of one source, too many for a processor. Established flows never notice. */
import { afterAll, beforeEach, expect, test } from "vitest";
import { SETTINGS_NEW_FLOW_BUDGET, SETTINGS_OPEN, SETTINGS_SOURCE_INTERVAL } from "../../src/xdp/door-maps.ts";
import { segmentFrame } from "../fixtures/segments.ts";
import { BACKEND, openingStage, PORT_MAC, VIP } from "./opening-stage.ts";

const ROWS = 1 << 12;
const XDP_DROP = 1;
const XDP_TX = 3;
const SYN = 2;
const ACK = 16;

const stage = openingStage(ROWS, SETTINGS_OPEN);
afterAll(() => stage.close());
beforeEach(() => {
  stage.object.map("flows").mmap().fill(0);
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 0;
  stage.settings[SETTINGS_NEW_FLOW_BUDGET] = 0;
});

const frame = (source: string, sourcePort: number, flags = SYN, protocol: "TCP" | "UDP" = "TCP") =>
  segmentFrame({
    ...{ destinationMac: PORT_MAC, sourceMac: "02:00:00:00:0a:00", destination: VIP, destinationPort: 80 },
    ...{ source, sourcePort, protocol, flags },
  });

/** The verdicts on so many new flows of a source. */
function open(source: string, flows: number, protocol: "TCP" | "UDP" = "TCP"): number[] {
  return Array.from({ length: flows }, (_, flow) => stage.run(frame(source, 1024 + flow, SYN, protocol)).returnValue);
}

test("a source gets its flows of a second at once, then no more; others get theirs", () => {
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 1e9 / 5;
  expect(open("203.0.113.1", 8)).toEqual([...Array(5).fill(XDP_TX), ...Array(3).fill(XDP_DROP)]);
  expect(open("203.0.113.2", 3)).toEqual(Array(3).fill(XDP_TX));
  expect(stage.counters().dropSourceLimit).toBe(3);
});

test("datagrams of new flows count as SYNs do; those of flows that there are do not", () => {
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 1e9 / 2;
  expect(open("203.0.113.3", 3, "UDP")).toEqual([XDP_TX, XDP_TX, XDP_DROP]);
  expect(open("203.0.113.3", 2, "UDP")).toEqual([XDP_TX, XDP_TX]);
});

test("a source that is over its limit keeps what it has", () => {
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 1e9;
  expect(open("203.0.113.4", 2)).toEqual([XDP_TX, XDP_DROP]);
  expect(stage.run(frame("203.0.113.4", 1024, ACK)).returnValue).toBe(XDP_TX);
});

test("a processor opens no more than its budget in a second, and forwards what is open", () => {
  stage.settings[SETTINGS_NEW_FLOW_BUDGET] = 4;
  const sources = Array.from({ length: 40 }, (_, index) => `203.0.113.${index + 10}`);
  const before = stage.counters();
  const verdicts = sources.map((source) => stage.run(frame(source, 5000)).returnValue);
  // The second may change meanwhile, and so may the processor.
  const opened = verdicts.filter((verdict) => verdict === XDP_TX).length;
  expect(opened).toBeGreaterThanOrEqual(4);
  expect(opened).toBeLessThanOrEqual(16);
  expect(stage.counters().dropBudget - before.dropBudget).toBe(40 - opened);
  const first = sources[verdicts.indexOf(XDP_TX)]!;
  expect(stage.run(frame(first, 5000, ACK)).returnValue).toBe(XDP_TX);
});

test("a full table makes room of flows that nobody has answered, and never of established ones", () => {
  const rows = stage.object.map("flows").mmap();
  open("203.0.113.200", 1);
  const kept = frame("203.0.113.200", 1024, ACK);
  const answer = segmentFrame({
    ...{ destinationMac: PORT_MAC, sourceMac: "02:00:00:00:0a:00", source: BACKEND, sourcePort: 8080 },
    ...{ destination: "203.0.113.200", destinationPort: 1024, protocol: "TCP", flags: SYN | ACK },
  });
  expect([answer, kept].map((each) => stage.run(each).returnValue)).toEqual([XDP_TX, XDP_TX]);
  for (let round = 0; round < 4; round++) {
    for (let flow = 0; flow < ROWS; flow++) stage.run(frame(`198.18.${round}.${flow & 255}`, 1024 + (flow >> 8)));
    // Silent and rested: two seconds and more.
    for (let word = 11; word < rows.length; word += 16) rows[word]! -= 3;
  }
  expect(stage.counters().evicted).toBeGreaterThan(100);
  expect(stage.run(kept).returnValue).toBe(XDP_TX);
  expect(stage.counters().open).toBeGreaterThan(ROWS / 2);
});

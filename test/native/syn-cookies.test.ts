/** SYN cookies at the door: who does not answer the question gets nothing and leaves nothing; who does comes in as ever. */
import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { DoorRequests } from "../../src/agent/door-requests.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { SYN_COOKIES, SynCookies } from "../../src/policy/syn-cookies.ts";
import {
  encodeAddress,
  SETTINGS_CHALLENGE,
  SETTINGS_FLAGS,
  SETTINGS_OPEN,
  SETTINGS_SOURCE_INTERVAL,
} from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { segmentFrame, transportFault } from "../fixtures/segments.ts";
import { openingStage, PORT_MAC, VIP } from "./opening-stage.ts";
import { words } from "./traffic.ts";

const ROWS = 1 << 12;
const XDP_DROP = 1;
const XDP_TX = 3;
const SYN = 2;
const RST = 4;
const ACK = 16;
const ROUTER_MAC = "02:00:00:00:0a:00";
const VIP6 = "2001:db8:ff::10";
const LOOPBACK = 1;
/** The sequence number of segmentFrame(). */
const CLIENTS_SEQUENCE = 1000;

const stage = openingStage(ROWS, SETTINGS_OPEN | SETTINGS_CHALLENGE);
stage.object.map("owned6").update(encodeAddress(parseIpAddress(VIP6)!), words(1));
afterAll(() => stage.close());
beforeEach(() => {
  stage.object.map("flows").mmap().fill(0);
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 0;
  stage.settings[SETTINGS_FLAGS]! |= SETTINGS_CHALLENGE;
  setDoorPort(stage.object.map("ports"), LOOPBACK, { id: 0 });
  const proven = stage.object.map("proven_sources");
  for (const { key } of proven.entries()) proven.delete(key);
});

function segment(
  source: string,
  flags: number,
  sequence = CLIENTS_SEQUENCE,
  sourcePort = 40000,
): Uint8Array<ArrayBuffer> {
  const frame = segmentFrame({
    ...{ destinationMac: PORT_MAC, sourceMac: ROUTER_MAC, source, sourcePort, protocol: "TCP", flags },
    ...{ destination: source.includes(":") ? VIP6 : VIP, destinationPort: 80 },
  });
  new DataView(frame.buffer).setUint32(transportOf(frame) + 4, sequence);
  return frame;
}

const transportOf = (frame: Uint8Array) => (frame[12] === 8 ? 34 : 54);
const acknowledged = (frame: Uint8Array) => new DataView(frame.slice().buffer).getUint32(transportOf(frame) + 8);
const liveRows = () =>
  stage.object
    .map("flows")
    .mmap()
    .filter((word, at) => at % 16 === 3 && (word & 0x100) !== 0).length;

/** What a client does. */
function prove(source: string): void {
  const { data } = stage.run(segment(source, SYN));
  stage.run(segment(source, RST, acknowledged(data)));
}

describe.each([
  ["IPv4", "203.0.113.7", VIP],
  ["IPv6", "2001:db8:c::7", VIP6],
])("%s", (_family, client, vip) => {
  test("a SYN is answered with a number that acknowledges nothing, and nothing is kept of it", () => {
    const before = stage.counters();
    const { returnValue, data } = stage.run(segment(client, SYN));
    expect(returnValue).toBe(XDP_TX);
    const expected = segmentFrame({
      ...{ destinationMac: ROUTER_MAC, sourceMac: PORT_MAC, source: vip, sourcePort: 80, protocol: "TCP" },
      ...{ destination: client, destinationPort: 40000, flags: SYN | ACK, payload: new Uint8Array(0) },
    });
    const view = new DataView(expected.buffer);
    const answer = new DataView(data.slice().buffer);
    const l4 = transportOf(expected);
    // Its numbers, no window, and a checksum of these.
    for (const at of [l4 + 4, l4 + 8]) view.setUint32(at, answer.getUint32(at));
    for (const at of [l4 + 14, l4 + 16]) view.setUint16(at, answer.getUint16(at));
    expect(Buffer.from(data).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
    expect(transportFault(data)).toBe(0);
    expect(acknowledged(data)).not.toBe(CLIENTS_SEQUENCE + 1);
    expect(stage.counters().challenge - before.challenge).toBe(1);
    expect(liveRows()).toBe(0);
  });

  test("who resets with that number comes in with its SYN, and with the next ones", () => {
    const before = stage.counters();
    prove(client);
    expect(stage.counters().proven - before.proven).toBe(1);
    for (const port of [40000, 40001]) stage.run(segment(client, SYN, CLIENTS_SEQUENCE, port));
    expect(stage.counters().challenge - before.challenge).toBe(1);
    if (vip === VIP) expect(stage.counters().open - before.open).toBe(2);
  });

  test("a number that was guessed, or told to somebody else, proves nothing", () => {
    const { data } = stage.run(segment(client, SYN));
    const other = client
      .replace(/7$/, "")
      .concat(client.includes(":") ? "" : "9")
      .replace("db8:c:", "db8:d:");
    const before = stage.counters();
    stage.run(segment(client, RST, acknowledged(data) + 2));
    stage.run(segment(other.endsWith("::") ? `${other}7` : other, RST, acknowledged(data)));
    expect(stage.counters().proven).toBe(before.proven);
    expect(stage.run(segment(client, SYN)).returnValue).toBe(XDP_TX);
    expect(stage.counters().challenge - before.challenge).toBe(1);
  });
});

test("the number is another for each client, port and address", () => {
  const numbers = Array.from({ length: 200 }, (_, index) =>
    acknowledged(stage.run(segment(`203.0.113.${1 + (index % 100)}`, SYN, 1000, 1024 + index)).data),
  );
  expect(new Set(numbers).size).toBe(200);
});

test("a flood of sources that are not real takes no room, and no source's allowance", () => {
  stage.settings[SETTINGS_SOURCE_INTERVAL] = 1e9;
  prove("203.0.113.8");
  const before = stage.counters();
  for (let index = 0; index < 2000; index++) {
    const { returnValue, data } = stage.run(segment(`198.18.${index >> 8}.${index & 255}`, SYN));
    expect(returnValue).toBe(XDP_TX);
    expect(data.length).toBeLessThanOrEqual(54);
  }
  expect(liveRows()).toBe(0);
  expect(stage.counters().dropSourceLimit).toBe(before.dropSourceLimit);
  stage.run(segment("203.0.113.8", SYN));
  expect(liveRows()).toBe(2);
  stage.run(segment("203.0.113.8", SYN, 1000, 40001));
  expect(stage.counters().dropSourceLimit - before.dropSourceLimit).toBe(1);
});

test("a SYN with options before its TCP header comes in for nobody", () => {
  const frame = segment("203.0.113.7", SYN);
  const options = Uint8Array.of(...frame.subarray(0, 34), 1, 1, 1, 1, ...frame.subarray(34));
  options[14] = 0x46;
  const before = stage.counters();
  expect(stage.run(options).returnValue).toBe(XDP_DROP);
  expect(stage.counters().dropUnproven - before.dropUnproven).toBe(1);
});

test("the question leaves with the tags that the SYN came with", () => {
  setDoorPort(stage.object.map("ports"), LOOPBACK, { id: 0, vlan: [{ protocol: 0x8100, id: 100 }] });
  const frame = segment("203.0.113.7", SYN);
  const tag = [0x81, 0x00, 0x60, 0x64];
  const { returnValue, data } = stage.run(Uint8Array.of(...frame.subarray(0, 12), ...tag, ...frame.subarray(12)));
  expect(returnValue).toBe(XDP_TX);
  expect([...data.subarray(12, 18)]).toEqual([...tag, 0x08, 0x00]);
  expect(transportFault(Uint8Array.of(...data.subarray(0, 12), ...data.subarray(16)))).toBe(0);
});

test("a policy that wants them has them at the door, hears how often they were met, and can take them back", () => {
  const memory = { [SYN_COOKIES]: new Int32Array(SynCookies.words) };
  const cookies = new SynCookies(memory[SYN_COOKIES]!);
  const questions = () => stage.counters().challenge + stage.counters().dropUnproven;
  const turnedAway = () => ({ questions: questions(), refused: stage.counters().dropSourceLimit });
  const requests = new DoorRequests(stage.settings, turnedAway, {}, pino({ level: "silent" }));
  const look = () => requests.look([{ name: "guard", memory }]);
  look();
  stage.run(segment("203.0.113.20", SYN));
  expect(liveRows()).toBe(2);
  cookies.want(true);
  look();
  for (const port of [1, 2, 3]) stage.run(segment("203.0.113.21", SYN, CLIENTS_SEQUENCE, port));
  expect(liveRows()).toBe(2);
  look();
  expect(cookies).toMatchObject({ state: "on", questions: 3 });
  // Of those that are open the door asks nothing.
  const before = questions();
  stage.run(segment("203.0.113.20", ACK));
  expect(questions()).toBe(before);
  cookies.want(false);
  look();
  stage.run(segment("203.0.113.21", SYN));
  expect(liveRows()).toBe(4);
  expect(cookies.state).toBe("off");
});

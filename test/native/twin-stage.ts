/**
 * A stage for replays whose tables are the BPF programs' own, with the XDP program looking on: it gets each frame first,
 * its writes to rows are noted and taken back, then the pipeline gets the same frame and both are compared.
 *
 *   forwarded by XDP       the frame is byte for byte what the pipeline makes of it, and both write the same to the row
 *   left by XDP            the frame and all rows are as they were, and what the pipeline sends goes to the worker
 *   passed by both         the frame is as it was; the row of a flow that a direct answer ends is withdrawn by both
 */
import { afterAll, expect } from "vitest";
import { DsrMaps } from "../../src/agent/dsr-maps.ts";
import { KernelForwarding } from "../../src/agent/kernel-forwarding.ts";
import { Fib } from "../../src/dataplane/fib.ts";
import { TAG_LIVE, TAG_OFFLOADED, TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import type { ForwardingTable } from "../../src/dataplane/forwarding-table.ts";
import { NeighborTable } from "../../src/dataplane/neighbor-table.ts";
import type { IpAddress } from "../../src/net/ip-address.ts";
import { REPLAY_KEY } from "../../src/replay/node-player.ts";
import type { FrameResult, ReplayStage } from "../../src/replay/replay.ts";
import type { Scenario } from "../../src/replay/scenario.ts";
import { RST } from "../../src/wire/transport.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { encodeAddress, SETTINGS_FLAGS, SETTINGS_FORWARD, SETTINGS_OPEN } from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { interfaceIndex, SMALL_RINGS, words } from "./traffic.ts";

const ROWS = 1 << 12;
/** The part of the state word that says when a row was claimed. */
const OPENED = 0x00fffc00;
const XDP_PASS = 2;
const XDP_TX = 3;
const XDP_REDIRECT = 4;
const PATH_MTU_WORDS = 8;
const PATH_MTU_SECOND = 5;
/** Scenarios have at most so many interfaces. */
const DEVICES = ["pa", "qa", "ra"];

/** Where a row of each family has its tag and what the kernel writes: state, last seen, packets, bytes. */
const LAYOUT = {
  4: { row: 16, tag: 3, state: 10, lastSeen: 11, counters: [12, 13, 14, 15] },
  6: { row: 32, tag: 9, state: 12, lastSeen: 13, counters: [24, 25, 26, 27] },
} as const;

export interface Tally {
  /** Frames that XDP has forwarded. */
  forwarded: number;
  /** Frames with which the pipeline has opened a flow, and whether XDP has done so too. */
  begun: { frame: Uint8Array; byXdp: boolean }[];
  /** Frames of established flows that the pipeline has forwarded and XDP has not. */
  left: Uint8Array[];
}

export interface TwinStage {
  readonly object: BpfObject;
  /** Empties all tables and serves a scenario's addresses. */
  prepare(scenario: Scenario): ReplayStage;
  readonly tally: Tally;
}

/** @param opens whether XDP opens flows too. */
export function openTwinStage(opens = false): TwinStage {
  moveIntoOwnNamespace();
  for (const device of DEVICES) vethPair(device, `${device}x`);
  const object = BpfObject.load(undefined, { maxEntries: { flows: ROWS, flows6: ROWS } });
  const program = object.program("sluice_xdp");
  const umem = new Umem({ frameCount: 64, frameSize: 2048 });
  const sockets = DEVICES.map((device) => new XskSocket(umem, { interface: device, queue: 0, ...SMALL_RINGS }));
  const indexes = DEVICES.map(interfaceIndex);
  const settings = object.map("settings").mmap();
  const flows = { 4: object.map("flows").mmap(), 6: object.map("flows6").mmap() };
  const ports = object.map("port_rows").mmap();
  const pathMtus = object.map("path_mtus").mmap();
  const neighbors = object.map("neighbors").mmap();
  const tally: Tally = { forwarded: 0, begun: [], left: [] };
  const kernel = new KernelForwarding(object, opens);
  const dsr = new DsrMaps(object);
  settings.set([REPLAY_KEY.k0, REPLAY_KEY.k1, ROWS - 1, ROWS - 1]);
  settings[SETTINGS_FLAGS] = opens ? SETTINGS_FORWARD | SETTINGS_OPEN : SETTINGS_FORWARD;
  indexes.forEach((index, port) => {
    object.map("devices").update(words(port), words(index));
    object.map("xsks").update(words(port * 64), words(sockets[port]!.fd));
  });
  afterAll(() => {
    for (const socket of sockets) socket.close();
    umem.close();
    kernel.close();
    object.close();
  });

  let pods: ReadonlySet<string> = new Set();

  function prepare(scenario: Scenario): ReplayStage {
    for (const table of [flows[4], flows[6], ports, neighbors, pathMtus]) table.fill(0);
    for (const name of ["owned4", "owned6"]) {
      const map = object.map(name);
      for (const { key } of map.entries()) map.delete(key);
    }
    pods = new Set(
      scenario.spec.vips.flatMap(({ backends }) => backends.map(({ address }) => hex(addressBytes(address)))),
    );
    for (const { address } of scenario.spec.owned) {
      const key = encodeAddress(address);
      if (address.family === 4) object.map("owned4").update(key.slice(12), words(3));
      else object.map("owned6").update(key, words(3));
    }
    dsr.apply(scenario.spec);
    scenario.node.interfaces.forEach(({ tags }, port) => {
      const vlan = tags.map((tag) => ({
        protocol: ((tag & 0xff) << 8) | ((tag >>> 8) & 0xff),
        id: ((tag >>> 8) & 0xf00) | (tag >>> 24),
      }));
      setDoorPort(object.map("ports"), indexes[port]!, { id: port, vlan });
    });
    return { flows4: flows[4], flows6: flows[6], ports, neighbors, pathMtus, offloads: true, watch, onTable };

    function onTable({ columns }: ForwardingTable): void {
      kernel.route(Fib.build(scenario.node.routes), new NeighborTable(neighbors));
      const tables = columns.maglev.chunks.length * columns.maglev.tablesPerChunk;
      kernel.publish(
        columns,
        Array.from({ length: tables }, (_, place) => place),
      );
    }
  }

  function watch(frame: Uint8Array, port: number): (result: FrameResult) => void {
    // What was learned lately in the scenario's time was learned lately in the kernel's.
    for (let place = 0; place < pathMtus.length; place += PATH_MTU_WORDS) {
      if (pathMtus[place + PATH_MTU_SECOND] !== 0) pathMtus[place + PATH_MTU_SECOND] = monotonicSeconds();
    }
    const before = { 4: flows[4].slice(), 6: flows[6].slice() };
    const countersBefore = readXdpCounters(object.map("xdp_counters"));
    const { returnValue, data } = program.testRun(frame, { ingress: { interfaceIndex: indexes[port]!, queue: 0 } });
    const counters = readXdpCounters(object.map("xdp_counters"));
    const isOpened = counters.open !== countersBefore.open;
    const isForwarded = counters.forward !== countersBefore.forward;
    const written = { 4: changes(before[4], flows[4], 4), 6: changes(before[6], flows[6], 6) };
    flows[4].set(before[4]);
    flows[6].set(before[6]);
    return (result) => {
      const begins = hasNewFlow(before[4], flows[4], 4) || hasNewFlow(before[6], flows[6], 6);
      expect(begins || !isOpened, "XDP opens nothing that the pipeline doesn't").toBe(true);
      if (begins) tally.begun.push({ frame, byXdp: isOpened });
      if (isForwarded) {
        tally.forwarded++;
        expect({ frame: hex(data), verdict: "tx" }).toEqual({ frame: result.frame, verdict: result.verdict });
        expect([XDP_TX, XDP_REDIRECT]).toContain(returnValue);
        expect(written).toEqual({ 4: changes(before[4], flows[4], 4), 6: changes(before[6], flows[6], 6) });
        return;
      }
      expect(hex(data), "XDP changes no frame that it leaves to others").toBe(hex(frame));
      // What is too long opens a flow here as well, and is then the worker's, by the rows that there are.
      if (!isOpened && result.verdict !== "pass") expect(written).toEqual({ 4: {}, 6: {} });
      if (result.verdict === "pass") {
        expect(written, "a row that ends for both").toEqual({
          4: changes(before[4], flows[4], 4),
          6: changes(before[6], flows[6], 6),
        });
        if (Object.keys({ ...written[4], ...written[6] }).length > 0) expect(returnValue).toBe(XDP_PASS);
      }
      if (isOpened || result.verdict === "tx" || result.verdict === "reply") {
        // Without an option, what another gateway sends to a pod may go straight to it.
        const ways = pods.has(destinationOf(frame)) ? [XDP_REDIRECT, XDP_PASS] : [XDP_REDIRECT];
        expect(ways, "what the pipeline sends must come to it").toContain(returnValue);
        const isEstablished = touchesEstablished(before[4], flows[4], 4) || touchesEstablished(before[6], flows[6], 6);
        if (result.verdict === "tx" && isEstablished) tally.left.push(frame);
      }
    };
  }

  return { object, prepare, tally };
}

/** Which words of a table have changed to what; the two clocks are not compared, nor who is to forward. */
export function changes(before: Int32Array, after: Int32Array, family: 4 | 6): Record<number, number> {
  const { row, tag, state, lastSeen } = LAYOUT[family];
  const changed: Record<number, number> = {};
  if (Buffer.compare(bytesOf(before), bytesOf(after)) === 0) return changed;
  for (let i = 0; i < before.length; i++) {
    const at = i % row;
    const ignored = at === tag ? TAG_OFFLOADED : at === state ? OPENED : at === lastSeen ? -1 : 0;
    if (((before[i]! ^ after[i]!) & ~ignored) !== 0) changed[i] = after[i]! & ~ignored;
  }
  return changed;
}

/** Whether a request has got a row. A row that is given up rests for a while, so what is live and was not is new. */
function hasNewFlow(before: Int32Array, after: Int32Array, family: 4 | 6): boolean {
  const { row, tag } = LAYOUT[family];
  for (let at = tag; at < after.length; at += row) {
    if ((after[at]! & (TAG_LIVE | TAG_REPLY)) === TAG_LIVE && (before[at]! & TAG_LIVE) === 0) return true;
  }
  return false;
}

/** Whether a row has counted a frame that was marked for the kernel before, and not reset. */
function touchesEstablished(before: Int32Array, after: Int32Array, family: 4 | 6): boolean {
  const { row, tag, state, counters } = LAYOUT[family];
  return Object.keys(changes(before, after, family)).some((word) => {
    const start = Number(word) - (Number(word) % row);
    const isMarked = (before[start + tag]! & TAG_OFFLOADED) !== 0 && (before[start + state]! & RST) === 0;
    return isMarked && Number(word) - start === counters[0];
  });
}

function addressBytes(address: IpAddress): Uint8Array {
  return encodeAddress(address).subarray(address.family === 4 ? 12 : 0);
}

/** The destination address, behind VLAN tags. */
function destinationOf(frame: Uint8Array): string {
  let at = 12;
  while (frame[at] === 0x81 || frame[at] === 0x88) at += 4;
  return hex(frame[at] === 0x08 ? frame.subarray(at + 18, at + 22) : frame.subarray(at + 26, at + 42));
}

function monotonicSeconds(): number {
  return Math.floor(Number(process.hrtime.bigint()) / 1e9);
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

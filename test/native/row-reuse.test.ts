/**
 * One thread opens and withdraws rows while XDP reads them: a frame is forwarded by one whole translation or by none.
 * Address, port and checksum of what leaves must be of the same generation of the row.
 */
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { NeighborTable } from "../../src/dataplane/neighbor-table.ts";
import { PORT_WIRE, PortTable } from "../../src/dataplane/port-table.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { parseMac } from "../../src/net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../../src/wire/raw.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { SETTINGS_FLAGS, SETTINGS_FORWARD } from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { segmentFrame, transportFault } from "../fixtures/segments.ts";
import { FIRST_PORT, type WriterTask } from "./row-writer.ts";
import { words } from "./traffic.ts";

const ROWS = 1 << 14;
const LOOPBACK = 1;
const XDP_REDIRECT = 4;
const MAC = "02:00:00:00:0a:01";

test("no frame is rewritten with half of a row while rows are opened, withdrawn and used again", async () => {
  const { halves, forwarded, generations, opened } = await readWhileWriting(2048, 6, false);
  expect(halves).toEqual([]);
  // Each row was used several times over, and read meanwhile.
  expect(opened).toBeGreaterThan(2 * ROWS);
  expect(forwarded).toBeGreaterThan(1000);
  expect(generations).toBeGreaterThan(500);
}, 30_000);

test("a writer that published rows before it has filled them would be found out", async () => {
  const { halves } = await readWhileWriting(16, 2, true);
  expect(halves.length).toBeGreaterThan(0);
}, 30_000);

interface Reading {
  /** Frames that left with parts of two generations. */
  readonly halves: readonly string[];
  readonly forwarded: number;
  readonly generations: number;
  /** How often a row was opened meanwhile. */
  readonly opened: number;
}

async function readWhileWriting(keys: number, seconds: number, early: boolean): Promise<Reading> {
  const object = BpfObject.load(undefined, { maxEntries: { flows: ROWS } });
  const hashKey = { k0: 0x1111, k1: 0x2222 };
  const settings = object.map("settings").mmap();
  settings.set([hashKey.k0, hashKey.k1, ROWS - 1, 0]);
  settings[SETTINGS_FLAGS] = SETTINGS_FORWARD;
  setDoorPort(object.map("ports"), LOOPBACK, { id: 0 });
  const ports = new PortTable(object.map("port_rows").mmap());
  for (const id of [0, 1]) {
    ports.set(id, { kind: PORT_WIRE, mac: parseMac(MAC)!, mtu: 1500, ipv4: null, ipv6: null, pair: null });
    object.map("devices").update(words(id), words(LOOPBACK));
  }
  const nextHop = new Int32Array(ADDRESS_WORDS);
  storeAddress(nextHop, 0, parseIpAddress("10.0.0.1")!);
  const neighbor = new NeighborTable(object.map("neighbors").mmap()).set(nextHop, 1, parseMac(MAC), parseMac(MAC)!);
  const frames = Array.from({ length: keys }, (_, index) =>
    segmentFrame({
      destinationMac: MAC,
      sourceMac: "02:00:00:00:0a:00",
      source: "203.0.113.7",
      destination: "198.51.100.10",
      sourcePort: FIRST_PORT + index,
      destinationPort: 80,
      protocol: "TCP",
    }),
  );
  const task: WriterTask = {
    flowsFd: object.map("flows").fd,
    hashKey,
    neighbor,
    keys,
    milliseconds: seconds * 1000,
    early,
  };
  const writer = new Worker(new URL("./row-writer.ts", import.meta.url), { workerData: task });
  const opened = new Promise<number>((resolve, reject) => {
    writer.once("message", resolve);
    writer.once("error", reject);
  });
  let done = false;
  void opened.finally(() => {
    done = true;
  });

  const program = object.program("sluice_xdp");
  const generations = new Set<number>();
  const halves: string[] = [];
  let forwarded = 0;
  for (let turn = 0; !done; turn++) {
    const frame = frames[(turn * 7919) % keys]!;
    const { returnValue, data } = program.testRun(frame, { ingress: { interfaceIndex: LOOPBACK, queue: 0 } });
    if (returnValue === XDP_REDIRECT) {
      const view = new DataView(data.buffer, data.byteOffset);
      const generation = view.getUint16(36);
      forwarded++;
      generations.add(generation);
      if (view.getUint32(30) !== 0x0a000000 + generation || transportFault(data) !== 0) {
        halves.push(Buffer.from(data).toString("hex"));
      }
    } else {
      expect(Buffer.compare(data, frame)).toBe(0);
    }
    if (turn % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const result = { halves, forwarded, generations: generations.size, opened: await opened };
  await writer.terminate();
  object.close();
  return result;
}

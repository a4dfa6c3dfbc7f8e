/**
 * The two BPF programs behind their maps, with a real socket behind the XSKMAP (a redirect to none is a pass): what a
 * test gives a frame to and asks for the verdict.
 */
import { afterAll, expect } from "vitest";
import { BpfObject } from "../../src/xdp/bpf.ts";
import type { DoorPort } from "../../src/xdp/door-maps.ts";
import { PORT_PLACES, setDoorPort } from "../../src/xdp/door-ports.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { readXdpCounters, type XdpOutcome } from "../../src/xdp/xdp-counters.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { octets } from "./frames.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { mapped } from "./packets.ts";
import type { FlowKey, HashKey, RowFields } from "./reference-flow-table.ts";
import { clearFlows, writeRow } from "./reference-flow-table.ts";
import { interfaceIndex, SMALL_RINGS, words } from "./traffic.ts";

export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_REDIRECT = 4;
export const TC_NEXT = -1;
export const TC_REDIRECT = 7;

export const SERVE = 1;
export const RESOLVE_ALL = 2;

export const ROWS = 1 << 12;
export const PORT = 3;

export type Verdict = [returnValue: number, outcome: XdpOutcome | null];

/** The verdicts on what the door leaves alone. */
export const PASSES: Verdict = [XDP_PASS, "passNotOurs"];
export const NEXT: Verdict = [TC_NEXT, null];

export interface Door {
  readonly object: BpfObject;
  readonly hashKey: HashKey;
  readonly flows: Int32Array;
  readonly flows6: Int32Array;
  readonly settings: Int32Array;
  readonly uplink: { readonly interfaceIndex: number; readonly queue: number };
  setPort(interfaceIndex: number, port: DoorPort): void;
  own(address: string, flags: number): void;
  /** Puts a key of 16 bytes, or with something before or after them, into a map of one-byte values. */
  put(map: string, key: Uint8Array, value?: number): void;
  clear(): void;
  row(key: FlowKey, fields?: RowFields): { home: number; distance: number };
  /** The verdict of XDP, with the one counter that moved. */
  judge(frame: Uint8Array, ingress?: { interfaceIndex: number; queue: number }): Verdict;
  /** The verdict of tc egress; the frame as it leaves is the last member. */
  judgeEgress(frame: Uint8Array): [...Verdict, Uint8Array];
}

/**
 * In a namespace of its own, with the veth pairs pa-pb (two queues; the door's uplink is pa, its socket on queue 0) and
 * qa-qb (a port without socket that drops what is not ours).
 */
/** @param frags as for `BpfObject.load`. */
export function openDoor(frags?: boolean): Door {
  moveIntoOwnNamespace();
  vethPair("pa", "pb", 2);
  vethPair("qa", "qb");
  const object = BpfObject.load(undefined, {
    maxEntries: { flows: ROWS, flows6: ROWS },
    ...(frags === undefined ? {} : { frags }),
  });
  const xdp = object.program("sluice_xdp");
  const egress = object.program("sluice_egress");
  const umem = new Umem({ frameCount: 64, frameSize: 2048 });
  const socket = new XskSocket(umem, { interface: "pa", queue: 0, ...SMALL_RINGS });
  const uplink = { interfaceIndex: interfaceIndex("pa"), queue: 0 };
  const hashKey = { k0: 0x01020304, k1: 0xf5f6f7f8 };
  const settings = object.map("settings").mmap();
  const flows = object.map("flows").mmap();
  const flows6 = object.map("flows6").mmap();
  const setPort = (index: number, port: DoorPort) => setDoorPort(object.map("ports"), index, port);

  // Another interface in the uplink's place, so that it is found in the next.
  setPort(uplink.interfaceIndex + PORT_PLACES, { id: PORT + 2 });
  setPort(uplink.interfaceIndex, { id: PORT, pairInterfaceIndex: interfaceIndex("pb") });
  setPort(interfaceIndex("qa"), { id: PORT + 1, dropOthers: true });
  object.map("xsks").update(words(PORT * 64), words(socket.fd));
  settings.set([hashKey.k0, hashKey.k1, ROWS - 1, ROWS - 1]);
  afterAll(() => {
    socket.close();
    umem.close();
    object.close();
  });

  function counted(run: () => number): Verdict {
    const before = readXdpCounters(object.map("xdp_counters"));
    const returnValue = run();
    const after = readXdpCounters(object.map("xdp_counters"));
    const moved = (Object.keys(after) as XdpOutcome[]).filter((outcome) => after[outcome] !== before[outcome]);
    expect(moved.length).toBeLessThanOrEqual(1);
    return [returnValue, moved[0] ?? null];
  }

  return {
    object,
    hashKey,
    flows,
    flows6,
    settings,
    uplink,
    setPort,
    own(address, flags) {
      if (address.includes(":")) object.map("owned6").update(mapped(address), words(flags));
      else object.map("owned4").update(Uint8Array.from(octets(address)), words(flags));
    },
    put: (map, key, value = 1) => object.map(map).update(key, Uint8Array.of(value)),
    clear() {
      clearFlows(flows);
      clearFlows(flows6);
      const fragments = object.map("reply_fragments");
      for (const { key } of fragments.entries()) fragments.delete(key);
    },
    row: (key, fields = { live: true, reply: true }) =>
      writeRow(key.source.includes(":") ? flows6 : flows, hashKey, key, fields),
    judge: (frame, ingress = uplink) =>
      counted(() => {
        const { returnValue, data } = xdp.testRun(frame, { ingress });
        expect(data, "the program changes no frame").toEqual(frame);
        return returnValue;
      }),
    judgeEgress(frame) {
      let left = frame;
      const verdict = counted(() => {
        const { returnValue, data } = egress.testRun(frame, { egressInterfaceIndex: uplink.interfaceIndex });
        left = data;
        return returnValue;
      });
      return [...verdict, left];
    },
  };
}

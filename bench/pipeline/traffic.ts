/**
 * One measurement of the TypeScript pipeline with traffic of another kind than established IPv4, in a process of its own.
 * Prints one JSON line as run.ts does.
 *
 *   node --trace-gc traffic.ts KIND PACKETS        KIND: a key of `KINDS`
 */
import { writeSync } from "node:fs";
import { TRANSMITTED } from "../../src/dataplane/counters.ts";
import { NO_ROW } from "../../src/dataplane/flow-table.ts";
import { ROW_BYTES } from "../../src/dataplane/flow-table4.ts";
import { ROW6_BYTES } from "../../src/dataplane/flow-table6.ts";
import type { ForwardingMode } from "../../src/dataplane/forwarding-spec.ts";
import { ACK, SYN } from "../../src/wire/transport.ts";
import {
  BACKEND,
  BACKEND_MAC,
  gateway,
  LAN,
  LAN_MAC,
  ROUTER_MAC,
  VIP,
  VIP6,
  WAN,
  WAN_MAC,
} from "../../test/fixtures/gateway.ts";
import { type Segment, segmentFrame } from "../../test/fixtures/segments.ts";
import { BATCH, CHUNK, FRAME_OFFSET, FRAMES, pageAligned } from "./workload.ts";

const FLOWS = 1_000;
/** Room for all new flows of a turn. */
const ROWS = 1 << 20;

interface Source {
  readonly frame: Uint8Array;
  readonly port: number;
}

interface Kind {
  readonly mode: ForwardingMode;
  /** Frames that are sent once, to open what the others belong to. */
  readonly opening: readonly Source[];
  /** Those that are sent again and again, in this order. */
  readonly repeated: readonly Source[];
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const outside = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC };
const inside = { destinationMac: LAN_MAC, sourceMac: BACKEND_MAC };

/** Flow `n` of a family; a client has 10,000 ports. */
function request(n: number, family: 4 | 6, more: Pick<Segment, "protocol"> & Partial<Segment>): Source {
  const client = Math.floor(n / 10_000);
  const source = family === 4 ? `11.0.${client >> 8}.${client & 255}` : `2001:db8:c::${client.toString(16)}`;
  const destination = family === 4 ? VIP : VIP6;
  const ports = { sourcePort: 1024 + (n % 10_000), destinationPort: 80 };
  return { frame: segmentFrame({ ...outside, ...ports, source, destination, ...more }), port: WAN };
}

function reply(n: number): Source {
  const fields = { source: BACKEND, destination: `11.0.0.${Math.floor(n / 10_000)}`, protocol: "TCP" as const };
  const ports = { sourcePort: 8080, destinationPort: 1024 + (n % 10_000) };
  return { frame: segmentFrame({ ...inside, ...ports, ...fields, flags: ACK }), port: LAN };
}

const tcp = (flags: number) => ({ protocol: "TCP" as const, flags });
const udp = { protocol: "UDP" as const };

function newFlows(count: number): Source[] {
  return range(count).map((n) => request(100_000 + n, 4, tcp(SYN)));
}

/** Of each 64 frames: 38 established IPv4, 13 IPv6, 6 UDP, 6 replies, one new flow. */
function mixed(): Source[] {
  const fresh = newFlows(FRAMES * 4);
  return range(fresh.length * BATCH).map((i) => {
    const n = (i * 617) % FLOWS;
    const slot = i % BATCH;
    if (slot === 0) return fresh[i / BATCH]!;
    if (slot < 14) return sources6[n]!;
    if (slot < 20) return sourcesUdp[n]!;
    return slot < 26 ? sourcesReply[n]! : sources4[n]!;
  });
}

const sources4 = range(FLOWS).map((n) => request(n, 4, tcp(ACK)));
const sources6 = range(FLOWS).map((n) => request(n, 6, tcp(ACK)));
const sourcesUdp = range(FLOWS).map((n) => request(n, 4, udp));
const sourcesReply = range(FLOWS).map(reply);
const opening4 = range(FLOWS).map((n) => request(n, 4, tcp(SYN)));
const opening6 = range(FLOWS).map((n) => request(n, 6, tcp(SYN)));

const KINDS: Readonly<Record<string, () => Kind>> = {
  ipv6: () => ({ mode: "nat", opening: opening6, repeated: sources6 }),
  udp: () => ({ mode: "nat", opening: sourcesUdp, repeated: sourcesUdp }),
  dsr: () => ({ mode: "dsr-opt", opening: opening4, repeated: sources4 }),
  new: () => ({ mode: "nat", opening: [], repeated: newFlows(FRAMES * 64) }),
  mixed: () => ({ mode: "nat", opening: [...opening4, ...opening6, ...sourcesUdp], repeated: mixed() }),
};

const kind = KINDS[process.argv[2] ?? ""]?.();
if (kind === undefined) throw new Error(`the kind must be one of ${Object.keys(KINDS).join(", ")}`);
const packets = Number(process.argv[3]);
const { batch, pipeline, bytes, counters, flows4 } = gateway(BATCH, FRAMES * CHUNK, ROWS, undefined, {
  mode: kind.mode,
  frameMemory: new Uint8Array(pageAligned(FRAMES * CHUNK)),
  flowMemory: new Int32Array(pageAligned(ROWS * ROW_BYTES)),
  flow6Memory: new Int32Array(pageAligned(ROWS * ROW6_BYTES)),
});
let now = 100;
send(kind.opening, kind.opening.length, true);
send(kind.repeated, kind.repeated.length, true);
forgetNew();
writeSync(1, "measure\n");
let making = 0;
let both = 0;
const before = counters.totals[TRANSMITTED]!;
for (let done = 0; done < packets; done += kind.repeated.length) {
  const count = Math.min(kind.repeated.length, packets - done);
  making += send(kind.repeated, count, false);
  both += send(kind.repeated, count, true);
  forgetNew();
}
const forwarded = counters.totals[TRANSMITTED]! - before;
writeSync(1, "done\n");
const scale = 1000 / packets;
writeSync(1, `${JSON.stringify({ making: making * scale, both: both * scale, forwarded })}\n`);

/** @returns microseconds of this thread's time on a core. */
function send(sources: readonly Source[], count: number, run: boolean): number {
  const start = cpuMicroseconds();
  for (let first = 0; first < count; first += BATCH) {
    const last = Math.min(BATCH, count - first);
    for (let i = 0; i < last; i++) {
      const { frame, port } = sources[first + i]!;
      const at = ((first + i) % FRAMES) * CHUNK + FRAME_OFFSET;
      bytes.set(frame, at);
      batch.offset[i] = at;
      batch.length[i] = frame.length;
      batch.port[i] = port;
    }
    batch.count = last;
    if (run) pipeline.run(now);
  }
  return cpuMicroseconds() - start;
}

/** What is to be new the next time is withdrawn, and the time that withdrawn rows rest passes. Not measured. */
function forgetNew(): void {
  const { words, layout } = flows4;
  for (let row = 0; row < words.length; row += layout.words) {
    if (!flows4.isLive(row) || flows4.isReply(row) || words[row + layout.packets]! > 1) continue;
    const peer = flows4.peer(row);
    if (peer !== NO_ROW) flows4.withdraw(peer, now);
    flows4.withdraw(row, now);
  }
  now += 10;
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

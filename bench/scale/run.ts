/**
 * One measurement of how the pipeline's cost grows, in a process of its own: established IPv4 flows and new ones, spread
 * over VIPs and backends, in one or several threads over one flow table. Prints one JSON line.
 *
 *   node run.ts FLOWS VIPS BACKENDS WORKERS PACKETS
 */
import { writeSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { TRANSMITTED } from "../../src/dataplane/counters.ts";
import { DROP_REASONS } from "../../src/dataplane/drop-reason.ts";
import { flowTable4Memory } from "../../src/dataplane/flow-table4.ts";
import { fold } from "../../src/wire/checksum.ts";
import { ACK, SYN } from "../../src/wire/transport.ts";
import { ipv4Frame } from "../../test/fixtures/frames.ts";
import { gateway, ROUTER_MAC, WAN, WAN_MAC } from "../../test/fixtures/gateway.ts";
import { BATCH, CHUNK, FRAME_OFFSET, FRAMES } from "../pipeline/workload.ts";

interface Plan {
  readonly flows: number;
  readonly vips: number;
  readonly backends: number;
  readonly workers: number;
  readonly packets: number;
}

/** Nanoseconds a packet. */
interface Cost {
  readonly established: number;
  readonly opening: number;
}

interface Task extends Plan {
  readonly worker: number;
  readonly memory: Int32Array;
}

const FRAME_WORDS = 16;
/** Of client 11.0.0.0, port 0, to the first VIP. */
const TEMPLATE = ipv4Frame({
  destinationMac: WAN_MAC,
  sourceMac: ROUTER_MAC,
  source: "11.0.0.0",
  destination: "198.18.0.0",
  sourcePort: 0,
  destinationPort: 80,
  protocol: 6,
  flags: ACK,
  payload: new Uint8Array(10),
});

if (isMainThread) {
  const [flows, vips, backends, workers, packets] = process.argv.slice(2).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  let rows = 1024;
  while (rows < flows * 4) rows *= 2;
  const memory = flowTable4Memory(rows);
  const costs = await Promise.all(
    Array.from({ length: workers }, (_, worker) => run({ flows, vips, backends, workers, packets, worker, memory })),
  );
  const mean = (of: (cost: Cost) => number) => costs.reduce((sum, cost) => sum + of(cost), 0) / workers;
  const bytesPerFlow = 2 * (memory.byteLength / rows);
  const line = { established: mean((cost) => cost.established), opening: mean((cost) => cost.opening), bytesPerFlow };
  writeSync(1, `${JSON.stringify(line)}\n`);
} else {
  parentPort!.postMessage(measure(workerData as Task));
}

function run(task: Task): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** The worker's share of the flows, each thread with frames of its own. */
function measure({ flows, vips, backends, workers, packets, worker, memory }: Task): Cost {
  const addresses = Array.from({ length: backends }, (_, n) => `10.2.${n >> 8}.${n & 255 || 1}`);
  const unique = [...new Set(addresses)];
  const { batch, pipeline, bytes, counters } = gateway(BATCH, FRAMES * CHUNK, 1024, unique, {
    flowMemory: memory,
    vips,
  });
  const own = Math.floor(flows / workers);
  const frames = new Int32Array(own * FRAME_WORDS);
  for (let n = 0; n < own; n++) writeFrame(new DataView(frames.buffer, n * FRAME_WORDS * 4), worker * own + n, vips);
  const words = new Int32Array(bytes.buffer);
  // Aligned to four bytes, so that frames are copied by words.
  const base = FRAME_OFFSET + 2;
  const send = (count: number, flags: number, isRunning: boolean): number => {
    const start = cpuMicroseconds();
    let flow = 0;
    for (let done = 0; done < count; done += BATCH) {
      for (let i = 0; i < BATCH; i++) {
        const at = ((done + i) % FRAMES) * CHUNK + base;
        const from = flow * FRAME_WORDS;
        for (let word = 0; word < FRAME_WORDS; word++) words[(at >> 2) + word] = frames[from + word]!;
        if (flags !== ACK) setFlags(bytes, at, flags);
        batch.offset[i] = at;
        batch.length[i] = FRAME_WORDS * 4;
        batch.port[i] = WAN;
        flow += 617;
        if (flow >= own) flow %= own;
      }
      batch.count = BATCH;
      if (isRunning) pipeline.run(100);
    }
    return (cpuMicroseconds() - start) * 1000;
  };
  const opened = Math.ceil(own / BATCH) * BATCH;
  const makingNew = send(opened, SYN, false);
  const opening = (send(opened, SYN, true) - makingNew) / opened;
  send(Math.min(packets, 1_000_000), ACK, true);
  const before = counters.totals[TRANSMITTED]!;
  const making = send(packets, ACK, false);
  const established = (send(packets, ACK, true) - making) / packets;
  const forwarded = counters.totals[TRANSMITTED]! - before;
  if (forwarded < packets * 0.999) {
    const reasons = DROP_REASONS.filter((_, reason) => counters.reasons[reason]! > 0);
    throw new Error(`${forwarded} of ${packets} packets were forwarded; others: ${reasons.join(", ")}`);
  }
  return { established, opening };
}

function writeFrame(view: DataView, flow: number, vips: number): void {
  const template = new DataView(TEMPLATE.buffer);
  for (let word = 0; word < FRAME_WORDS; word++) view.setInt32(word * 4, template.getInt32(word * 4));
  const client = flow >>> 14;
  const vip = flow % vips;
  const port = 1024 + (flow & 16383);
  view.setUint16(28, client);
  view.setUint16(32, vip);
  view.setUint16(34, port);
  view.setUint16(24, ~fold((~template.getUint16(24) & 0xffff) + client + vip));
  view.setUint16(50, ~fold((~template.getUint16(50) & 0xffff) + client + vip + port));
}

function setFlags(bytes: Uint8Array, at: number, flags: number): void {
  const sum = (~((bytes[at + 50]! << 8) | bytes[at + 51]!) & 0xffff) + flags + 0xffff - bytes[at + 47]!;
  const checksum = ~fold(sum);
  bytes[at + 47] = flags;
  bytes[at + 50] = (checksum >> 8) & 0xff;
  bytes[at + 51] = checksum & 0xff;
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

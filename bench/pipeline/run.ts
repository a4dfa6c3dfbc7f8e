/**
 * One measurement of the TypeScript pipeline, in a process of its own. Prints one JSON line:
 * nanoseconds per packet of frame making alone and with the pipeline, and how many frames were forwarded.
 *
 *   node --trace-gc bench/pipeline/run.ts FLOWS PACKETS
 *
 * The lines "measure" and "done" enclose the measurement in the garbage collector's trace.
 */
import { writeSync } from "node:fs";
import { TRANSMITTED } from "../../src/dataplane/counters.ts";
import { ROW_BYTES } from "../../src/dataplane/flow-table4.ts";
import { ACK } from "../../src/wire/transport.ts";
import { gateway } from "../../test/fixtures/gateway.ts";
import { BATCH, CHUNK, FRAMES, layFrames, openAll, pageAligned, refill } from "./workload.ts";

const flows = Number(process.argv[2]);
const packets = Number(process.argv[3]);
const { batch, pipeline, bytes, counters } = gateway(BATCH, FRAMES * CHUNK, tableRows(flows), undefined, {
  frameMemory: new Uint8Array(pageAligned(FRAMES * CHUNK)),
  flowMemory: new Int32Array(pageAligned(tableRows(flows) * ROW_BYTES)),
});
layFrames(bytes);
openAll(pipeline, flows);
forward(Math.min(packets, 2_000_000), true);

writeSync(1, "measure\n");
const before = counters.totals[TRANSMITTED]!;
const making = forward(packets, false);
const both = forward(packets, true);
const forwarded = counters.totals[TRANSMITTED]! - before;
writeSync(1, "done\n");
writeSync(1, `${JSON.stringify({ making, both, forwarded })}\n`);

/** @returns nanoseconds per packet, of this thread's time on a core: the machine may be shared. */
function forward(count: number, run: boolean): number {
  const view = pipeline.view;
  let flow = 0;
  let first = 0;
  const start = cpuMicroseconds();
  for (let done = 0; done < count; done += BATCH) {
    flow = refill(batch, view, first, flow, flows, ACK);
    if (run) pipeline.run(101);
    first = first + BATCH === FRAMES ? 0 : first + BATCH;
  }
  return ((cpuMicroseconds() - start) * 1000) / count;
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Two rows a flow, at most half full. */
function tableRows(count: number): number {
  let rows = 1024;
  while (rows < count * 4) rows *= 2;
  return rows;
}

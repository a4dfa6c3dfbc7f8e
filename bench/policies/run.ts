/**
 * One measurement, in a process of its own: what a packet costs with and without policies. Prints one JSON line.
 *
 *   node bench/policies/run.ts new|established none|three PACKETS
 */
import { writeSync } from "node:fs";
import { VIP_FLOWS_OPENED } from "../../src/dataplane/counters.ts";
import { ACK } from "../../src/wire/transport.ts";
import { gateway } from "../../test/fixtures/gateway.ts";
import { chainOf, threePolicies } from "../../test/fixtures/three-policies.ts";
import { BATCH, CHUNK, FRAMES, layFrames, openAll, refill } from "../pipeline/workload.ts";

const [what, which, count] = process.argv.slice(2);
const FLOWS = 1 << 16;
const packets = Number(count);
const policies = which === "three" ? threePolicies() : [];
const { batch, pipeline, bytes, counters, flows4, ids } = gateway(BATCH, FRAMES * CHUNK, 4 * FLOWS, undefined, {
  policies: policies.map(({ name }) => name),
});
if (policies.length > 0) pipeline.policies = chainOf(policies, pipeline, ids);
layFrames(bytes);
const round = what === "new" ? openRound : forwardRound;
if (what !== "new") openAll(pipeline, FLOWS);
for (let warm = 0; warm < 4; warm++) round();
writeSync(1, "measure\n");
let nanoseconds = 0;
let done = 0;
for (; done < packets; done += FLOWS) nanoseconds += round();
writeSync(1, "done\n");
writeSync(1, `${JSON.stringify({ nanoseconds: nanoseconds / done, opened: counters.vips[VIP_FLOWS_OPENED] })}\n`);

/** Opens every flow into an empty table. @returns nanoseconds of this thread's time on a core. */
function openRound(): number {
  flows4.words.fill(0);
  const start = cpuMicroseconds();
  openAll(pipeline, FLOWS);
  return (cpuMicroseconds() - start) * 1000;
}

function forwardRound(): number {
  let flow = 0;
  const start = cpuMicroseconds();
  for (let sent = 0; sent < FLOWS; sent += BATCH) {
    flow = refill(batch, pipeline.view, 0, flow, FLOWS, ACK);
    pipeline.run(101);
  }
  return (cpuMicroseconds() - start) * 1000;
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

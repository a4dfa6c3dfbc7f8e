/** One flow's frames on two queues at once, in two real threads over one flow table: one backend, one source port. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it, vi } from "vitest";
import { FLOWS_OPENED } from "../src/dataplane/counters.ts";
import { newFlowKey } from "../src/dataplane/flow-key.ts";
import { FlowTable4, flowTable4Memory } from "../src/dataplane/flow-table4.ts";
import { gateway, KEY, ROUTER_MAC, VIP, WAN, WAN_MAC } from "./fixtures/gateway.ts";
import type { Race } from "./fixtures/racing-worker.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const FLOWS = 4000;
const ROWS = 1 << 14;
const BACKENDS = ["10.2.0.2", "10.2.0.3"];

async function race(): Promise<FlowTable4> {
  const race: Race = {
    flowMemory: flowTable4Memory(ROWS),
    backends: BACKENDS,
    flows: FLOWS,
    ready: new Int32Array(new SharedArrayBuffer(4)),
    threads: 2,
  };
  const script = new URL("fixtures/racing-worker.ts", import.meta.url);
  const workers = Array.from({ length: race.threads }, () => new Worker(script, { workerData: race }));
  const codes = await Promise.all(workers.map((worker) => once(worker, "exit")));
  expect(codes.flat()).toEqual([0, 0]);
  return new FlowTable4(race.flowMemory, KEY);
}

/** Keys of the live rows of a direction, as text. */
function keys(flows: FlowTable4, replies: boolean): string[] {
  const list: string[] = [];
  const key = newFlowKey();
  for (let row = 0; row < flows.words.length; row += flows.layout.words) {
    if (!flows.isLive(row) || flows.isReply(row) !== replies) continue;
    flows.loadKey(row, key);
    list.push(key.join());
  }
  return list;
}

it("two workers that open the same flows at once open each of them once, and no two with one port", async () => {
  const flows = await race();
  const requests = keys(flows, false);
  const replies = keys(flows, true);
  expect(requests).toHaveLength(FLOWS);
  expect(new Set(requests).size).toBe(FLOWS);
  expect(replies).toHaveLength(FLOWS);
  expect(new Set(replies).size).toBe(FLOWS);
  for (let row = 0; row < flows.words.length; row += flows.layout.words) {
    if (flows.isLive(row)) expect(flows.peer(flows.peer(row))).toBe(row);
  }
}, 60_000);

it.each(["none", "node"] as const)(
  "a worker that stood still with the lock, source NAT %s, finds the flow that another has opened, and its own gives way",
  (sourceNat) => {
    const flowMemory = flowTable4Memory(ROWS);
    const worker = () => gateway(1, 1 << 14, ROWS, BACKENDS, { flowMemory, sourceNat });
    const [late, other] = [worker(), worker()];
    const frame = segmentFrame({
      ...{ destinationMac: WAN_MAC, sourceMac: ROUTER_MAC, source: "11.0.0.1", destination: VIP },
      ...{ sourcePort: 62_000, destinationPort: 80, protocol: "TCP", flags: 0x02 },
    });
    const send = ({ batch, pipeline, bytes }: typeof late): string => {
      bytes.set(frame, 256);
      batch.holdOne(256, frame.length, WAN);
      pipeline.run(1000);
      return Buffer.from(bytes.subarray(256, 256 + frame.length)).toString("hex");
    };
    const flows = late.pipeline.flowsOf(true);
    let sentByOther = "";
    // It has looked, found nothing, and now its thread does not run for a while.
    vi.spyOn(flows, "findKey").mockImplementationOnce((hash, key) => {
      const found = FlowTable4.prototype.findKey.call(flows, hash, key);
      sentByOther = send(other);
      return found;
    });
    expect(send(late)).toBe(sentByOther);
    expect([keys(flows as FlowTable4, false).length, keys(flows as FlowTable4, true).length]).toEqual([1, 1]);
    expect([late, other].map(({ pipeline }) => pipeline.flowsOf(true).load.total())).toEqual([0, 1]);
    expect(late.counters.totals[FLOWS_OPENED]! + other.counters.totals[FLOWS_OPENED]!).toBe(1);
    // The frame that comes next meets no lock.
    expect(send(other)).toBe(sentByOther);
  },
);

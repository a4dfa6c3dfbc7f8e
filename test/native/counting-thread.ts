/** A worker that counts frames in a row as workers do with those that the kernel leaves them: the other side of exact-counters.test.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { FlowTable4 } from "../../src/dataplane/flow-table4.ts";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { HASH_KEY } from "./opening-stage.ts";

export interface CountingTask {
  readonly flowsFd: number;
  readonly row: number;
  readonly frameBytes: number;
  readonly milliseconds: number;
}

function run({ flowsFd, row, frameBytes, milliseconds }: CountingTask): number {
  const map = BpfMap.fromFd(flowsFd);
  const flows = new FlowTable4(map.mmap(), HASH_KEY);
  const end = performance.now() + milliseconds;
  let counted = 0;
  while (performance.now() < end) {
    for (let turn = 0; turn < 1000; turn++, counted++) flows.countFrame(row, frameBytes, 1000);
  }
  map.close();
  return counted;
}

parentPort?.postMessage(run(workerData as CountingTask));

/** What a trace of this node's frames reads from: the workers' rings, the kernel's samples, and the names of things. */
import type { WorkerPool } from "../worker/worker-pool.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { FrameSamples } from "../xdp/frame-samples.ts";
import { monotonic } from "../xdp/wait.ts";
import type { Datapath } from "./datapath.ts";
import type { TraceSource } from "./frame-trace.ts";

export function traceSource(datapath: Datapath, workers: WorkerPool, object: BpfObject): TraceSource {
  const samples = new FrameSamples(object.map("settings"), object.map("samples"));
  const clock = new Float64Array(1);
  const ports = datapath.ports.map(({ name }) => name);
  return {
    get workers() {
      return workers.status().length;
    },
    vipsOf: (service) => datapath.spec.vips.filter((vip) => vip.service === service).map(({ address }) => address),
    scene: () => {
      monotonic(clock);
      const { flows, table, ids, policies } = datapath;
      return { flows, table, ids, ports, policies: policies.names, bootMilliseconds: Date.now() - clock[0]! / 1e6 };
    },
    publish: (orders) => workers.publishTrace(orders),
    sampleEvery: (frames) => samples.sampleEvery(frames),
    drainSamples: (take) => samples.drain(take),
    samplesLost: () => datapath.xdpCounters().sampleLost,
  };
}

/** One measurement: how many frames a contender forwards in a second, and what a frame costs it. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "./contenders.ts";
import { ForwardNetwork } from "./network.ts";
import type { Tools } from "./tools.ts";

export interface Rate {
  readonly mpps: number;
  /** Of the process that forwards; NaN when the kernel does it. */
  readonly processNanoseconds: number;
  /** All cores' time per frame: the generator's, on which the kernel works too, and the process's. */
  readonly coreNanoseconds: number;
  readonly collections: number;
}

/** Before measuring, so that every buffer, cache and compiler is as it will be. */
const WARM_UP_SECONDS = 1;

export async function measureRate(contender: Contender, flows: number, seconds: number, tools: Tools): Promise<Rate> {
  const network = new ForwardNetwork(tools);
  try {
    const running = await contender.start(network, flows);
    const generator = await network.generate(flows, seconds + WARM_UP_SECONDS + 2, running.traffic);
    await sleep(WARM_UP_SECONDS * 1000);
    const collectionsBefore = running.collections?.() ?? 0;
    const before = sample();
    await sleep(seconds * 1000);
    const after = sample();
    const collections = (running.collections?.() ?? 0) - collectionsBefore;
    await generator.stop("SIGTERM");
    const frames = after.frames - before.frames;
    if (frames === 0)
      throw new Error(`${contender.name} forwarded nothing: ${running.process?.log().slice(-500) ?? ""}`);
    const wall = (after.at - before.at) * 1e6;
    const own = after.busy - before.busy;
    return {
      mpps: (frames / wall) * 1e3,
      processNanoseconds: running.process === null ? Number.NaN : own / frames,
      coreNanoseconds: (wall + own) / frames,
      collections,
    };

    function sample() {
      if (running.process?.exit()) throw new Error(`${contender.name} has ended: ${running.process.log().slice(-500)}`);
      const busy = running.process === null ? 0 : busyNanoseconds(running.process.pid);
      return { at: performance.now(), frames: network.arrived(), busy };
    }
  } finally {
    network.close();
  }
}

/** Time on a core of all of a process's threads. */
export function busyNanoseconds(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum;
}

/** Percent of a core that a contender takes without any traffic. */
export async function measureIdle(contender: Contender, seconds: number, tools: Tools): Promise<number> {
  const network = new ForwardNetwork(tools);
  try {
    const { process } = await contender.start(network, 1_000);
    if (process === null) throw new Error(`${contender.name} has no process`);
    await sleep(WARM_UP_SECONDS * 1000);
    const [before, since] = [busyNanoseconds(process.pid), performance.now()];
    await sleep(seconds * 1000);
    return (busyNanoseconds(process.pid) - before) / ((performance.now() - since) * 1e4);
  } finally {
    network.close();
  }
}

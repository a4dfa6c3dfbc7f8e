/**
 * `npm run bench -- bgp`: Sluice beside GoBGP, FRR, BIRD and ExaBGP, one after another, each in a namespace of its own
 * and toward the same receiver, BIRD in another.
 *
 *     sender (AS 65000) ---- veth ---- receiver (BIRD, AS 65001)
 *
 * Measured: from the command that starts the session to Established; from Established (or the command that adds the
 * routes, where a daemon takes them only then) to the last route in the receiver's table; the withdrawal of all; the
 * sender's memory with all routes, all of it and what is its own alone (a runtime's program text is shared with others that
 * run it). And the other way round: a full table from BIRD into each, and its memory then.
 */
import { Lab } from "../test/lab/lab.ts";
import { Receiver } from "./bgp/receiver.ts";
import { SENDERS, type Sender, type SenderName } from "./bgp/senders.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

const SIZES = (process.env["SLUICE_BENCH_SIZES"] ?? "1000,10000,100000,1000000").split(",").map(Number);
/** Its time grows with the square: 20 s at 100k already. */
const MOST_OF_EXABGP = 100_000;
const NAMES = (process.env["SLUICE_BENCH_SPEAKERS"]?.split(",") ?? Object.keys(SENDERS)) as SenderName[];
const ROUNDS = Number(process.env["SLUICE_BENCH_ROUNDS"] ?? 1);

interface Measured {
  readonly established: number[];
  readonly announced: number[];
  readonly withdrawn: number[];
  readonly received: number[];
  readonly memory: number[];
  readonly "own memory": number[];
  /** With all routes received. */
  readonly "full memory": number[];
}

const TIMES = ["established", "announced", "withdrawn", "received"] as const;
const MEMORIES = ["memory", "own memory", "full memory"] as const;

const table = new Map<string, Measured>();

for (let round = 0; round < ROUNDS; round++) {
  for (const size of SIZES) {
    for (const name of NAMES) {
      if (name === "ExaBGP" && size > MOST_OF_EXABGP) continue;
      await measure(name, size);
      // The largest sizes take minutes: what was measured before is not lost when they are interrupted.
      if (size >= 100_000) report();
    }
  }
}
report();

async function measure(name: SenderName, size: number): Promise<void> {
  const key = `${name} ${size}`;
  const results = table.get(key) ?? emptyResults();
  table.set(key, results);
  const lab = new Lab("slbb");
  let sender: Sender | null = null;
  try {
    const receiver = new Receiver(lab);
    sender = SENDERS[name](lab, receiver);
    await receiver.start();
    await sender.prepare(size);
    const startedAt = performance.now();
    await sender.start();
    const upAt = await receiver.whenEstablished();
    results.established.push(upAt - startedAt);
    const beganAt = (await sender.announce()) ?? upAt;
    results.announced.push((await receiver.whenRoutes(size)) - beganAt);
    const { resident, own } = sender.memory();
    results.memory.push(resident);
    results["own memory"].push(own);
    if (sender.withdraw !== null) {
      const withdrawnAt = performance.now();
      await sender.withdraw();
      results.withdrawn.push((await receiver.whenRoutes(0)) - withdrawnAt);
    }
    const toldAt = performance.now();
    receiver.announceMany(size);
    const gotAt = await sender.whenReceived(size);
    if (gotAt !== null) {
      results.received.push(gotAt - toldAt);
      results["full memory"].push(sender.memory().resident);
    }
    console.log(`${key}: ${show(results)}`);
  } catch (error) {
    // One speaker that gives up at a size says nothing about the others.
    console.log(`${key}: ${(error as Error).message}; so far ${show(results)}`);
  } finally {
    await sender?.close?.();
    lab.close();
  }
}

function emptyResults(): Measured {
  const none = () => [] as number[];
  return {
    established: none(),
    announced: none(),
    withdrawn: none(),
    received: none(),
    memory: none(),
    "own memory": none(),
    "full memory": none(),
  };
}

function show(results: Measured): string {
  const of = (metric: keyof Measured, unit: string) =>
    `${metric} ${results[metric].length === 0 ? "-" : `${median(results[metric]).toFixed(0)} ${unit}`}`;
  return [...TIMES.map((metric) => of(metric, "ms")), ...MEMORIES.map((metric) => of(metric, "MB"))].join(", ");
}

function report(): void {
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  for (const [what, measured] of table) {
    for (const metric of TIMES) {
      if (measured[metric].length > 0) rows.push({ what, metric, unit: "ms", values: measured[metric] });
    }
    for (const metric of MEMORIES) {
      if (measured[metric].length > 0) rows.push({ what, metric, unit: "MB", values: measured[metric] });
    }
    const [name, size] = what.split(" ");
    const own = table.get(`Sluice ${size}`);
    if (name === "Sluice" || own === undefined) continue;
    for (const metric of [...TIMES, ...MEMORIES]) {
      if (measured[metric].length === 0 || own[metric].length === 0) continue;
      ratios[`sluice/${name!.toLowerCase()} ${metric}@${size}`] = median(own[metric]) / median(measured[metric]);
    }
  }
  saveResults("bgp", rows, ratios);
}

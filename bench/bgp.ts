/**
 * `npm run bench -- bgp`: Sluice beside GoBGP, FRR, BIRD and ExaBGP, one after another, each in a namespace of its own
 * and toward the same receiver, BIRD in another.
 *
 *     sender (AS 65000) ---- veth ---- receiver (BIRD, AS 65001)
 *
 * Measured: from the command that starts the session to Established; from Established (or the command that adds the
 * routes, where a daemon takes them only then) to the last route in the receiver's table; the withdrawal of all; the
 * sender's resident memory with all routes. And the other way round: a full table from BIRD into each.
 */
import { Lab } from "../test/lab/lab.ts";
import { Receiver } from "./bgp/receiver.ts";
import { SENDERS, type SenderName } from "./bgp/senders.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

const SIZES = (process.env["SLUICE_BENCH_SIZES"] ?? "1000,10000,100000,1000000").split(",").map(Number);
/** Its time grows with the square: 20 s at 100k already. */
const MOST_OF_EXABGP = 100_000;
const ROUNDS = Number(process.env["SLUICE_BENCH_ROUNDS"] ?? 1);

interface Measured {
  readonly established: number[];
  readonly announced: number[];
  readonly withdrawn: number[];
  readonly received: number[];
  readonly memory: number[];
}

const table = new Map<string, Measured>();

for (let round = 0; round < ROUNDS; round++) {
  for (const size of SIZES) {
    for (const name of Object.keys(SENDERS) as SenderName[]) {
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
  const results = table.get(key) ?? { established: [], announced: [], withdrawn: [], received: [], memory: [] };
  table.set(key, results);
  const lab = new Lab("slbb");
  try {
    const receiver = new Receiver(lab);
    const sender = SENDERS[name](lab, receiver);
    await receiver.start();
    await sender.prepare(size);
    const startedAt = performance.now();
    await sender.start();
    const upAt = await receiver.whenEstablished();
    results.established.push(upAt - startedAt);
    const beganAt = (await sender.announce()) ?? upAt;
    results.announced.push((await receiver.whenRoutes(size)) - beganAt);
    results.memory.push(sender.residentMegabytes());
    if (sender.withdraw !== null) {
      const withdrawnAt = performance.now();
      await sender.withdraw();
      results.withdrawn.push((await receiver.whenRoutes(0)) - withdrawnAt);
    }
    const toldAt = performance.now();
    receiver.announceMany(size);
    const gotAt = await sender.whenReceived(size);
    if (gotAt !== null) results.received.push(gotAt - toldAt);
    console.log(`${key}: ${show(results)}`);
  } catch (error) {
    // One speaker that gives up at a size says nothing about the others.
    console.log(`${key}: ${(error as Error).message}; so far ${show(results)}`);
  } finally {
    lab.close();
  }
}

function show({ established, announced, withdrawn, received, memory }: Measured): string {
  const ms = (values: readonly number[]) => (values.length === 0 ? "-" : `${median(values).toFixed(0)} ms`);
  return `established ${ms(established)}, announced ${ms(announced)}, withdrawn ${ms(withdrawn)}, received ${ms(received)}, ${memory.length === 0 ? "-" : median(memory).toFixed(0)} MB`;
}

function report(): void {
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  for (const [what, measured] of table) {
    for (const metric of ["established", "announced", "withdrawn", "received"] as const) {
      if (measured[metric].length > 0) rows.push({ what, metric, unit: "ms", values: measured[metric] });
    }
    if (measured.memory.length > 0) rows.push({ what, metric: "memory", unit: "MB", values: measured.memory });
    const [name, size] = what.split(" ");
    const own = table.get(`Sluice ${size}`);
    if (name === "Sluice" || own === undefined) continue;
    for (const metric of ["established", "announced", "withdrawn", "received", "memory"] as const) {
      if (measured[metric].length === 0 || own[metric].length === 0) continue;
      ratios[`sluice/${name!.toLowerCase()} ${metric}@${size}`] = median(own[metric]) / median(measured[metric]);
    }
  }
  saveResults("bgp", rows, ratios);
}

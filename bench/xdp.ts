/**
 * `npm run bench -- xdp`: nanoseconds per packet of the product's XDP program, by BPF_PROG_TEST_RUN, beside a twin that
 * keeps its flows in an LRU_HASH; at 1k, 100k and 1M flows. Both are the same source but for the finding of a flow.
 *
 * Making the frames is part of each run; it is timed alone in the same round and taken off in both.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlowExpiry } from "../src/dataplane/expiry.ts";
import type { FlowTable4 } from "../src/dataplane/flow-table4.ts";
import type { BpfObject } from "../src/xdp/bpf.ts";
import { median, type ResultRow, saveResults } from "./results.ts";
import { compile } from "./xdp/compile.ts";
import {
  BENCH_FRAME,
  BENCH_NOW,
  IN_TUNNEL,
  loadLru,
  loadLruForInserts,
  loadOurs,
  loadOursForInserts,
} from "./xdp/tables.ts";

const FLOWS = [1_000, 100_000, 1_000_000];
const ROUNDS = Number(process.env["SLUICE_BENCH_ROUNDS"] ?? 7);
const REPEAT = 2_000_000;
const INSERT_FLOWS = 100_000;
/** As many flows go in and out again in a round. */
const INSERT_RUNS = 16;
const OTHER_FLOWS = 100_000;
const XDP_DROP = 1;
const XDP_TX = 3;
const XDP_REDIRECT = 4;
/** What programs answer; the others XDP_TX. */
const VERDICTS: Readonly<Record<string, number>> = { hit: XDP_REDIRECT, dsr: XDP_REDIRECT, miss: XDP_DROP };
const MOST = { flows: 1_000_000, vips: 10_000, backends: 1_000 };

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  measureAll(compile("ours", folder), compile("lru", folder));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measureAll(ours: string, lru: string): void {
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  console.log(
    `established IPv4/TCP, 60-byte frames, ${ROUNDS} rounds of ${REPEAT / 1e6}M; ns per packet, median (min max)`,
  );
  console.log("   flows   empty   frames    ours less frames       LRU_HASH less frames    ours/LRU (min max)");
  for (const flows of FLOWS) {
    const key = flows >= 1e6 ? `${flows / 1e6}M` : `${flows / 1e3}k`;
    const mine = loadOurs(ours, flows);
    const theirs = loadLru(lru, flows);
    const empty: number[] = [];
    const making: number[] = [];
    const hit: number[] = [];
    const hitLru: number[] = [];
    time(mine, "hit", flows);
    time(theirs, "hit", flows);
    for (let round = 0; round < ROUNDS; round++) {
      empty.push(time(mine, "empty"));
      making.push(time(mine, "frames"));
      hit.push(time(mine, "hit") - making[round]!);
      hitLru.push(time(theirs, "hit") - making[round]!);
    }
    const pairs = hit.map((value, round) => value / hitLru[round]!);
    ratios[`hit/lru@${key}`] = median(pairs);
    for (const [what, values] of Object.entries({ empty, frames: making, hit, "LRU_HASH twin": hitLru })) {
      rows.push({ what: `${what}, ${key} flows`, metric: "cost", unit: "ns/packet", values });
    }
    console.log(
      `${String(flows).padStart(8)} ${spread(empty)} ${spread(making)}   ${spread(hit)}   ${spread(hitLru)}   ${spread(pairs, 2)}`,
    );
    mine.close();
    theirs.close();
  }
  measureOthers(ours, lru, rows, ratios);
  measureMost(ours, rows, ratios);
  measureInserts(ours, lru, rows, ratios);
  saveResults("xdp", rows, ratios);
}

/** What is not a plain frame of a known flow: one of no flow at all, and one that leaves in a tunnel. */
function measureOthers(ours: string, lru: string, rows: ResultRow[], ratios: Record<string, number>): void {
  for (const [program, actions] of [
    ["miss", 0],
    ["dsr", IN_TUNNEL],
  ] as const) {
    const mine = loadOurs(ours, OTHER_FLOWS, undefined, actions);
    const theirs = loadLru(lru, OTHER_FLOWS, actions);
    const costs: number[] = [];
    const costsLru: number[] = [];
    for (const object of [mine, theirs]) time(object, program);
    for (let round = 0; round < ROUNDS; round++) {
      const making = time(mine, "frames");
      costs.push(time(mine, program) - making);
      costsLru.push(time(theirs, program) - making);
    }
    const pairs = costs.map((value, round) => value / costsLru[round]!);
    ratios[`${program}/lru@100k`] = median(pairs);
    rows.push({ what: `${program}, 100k flows`, metric: "cost", unit: "ns/packet", values: costs });
    rows.push({ what: `LRU_HASH ${program}, 100k flows`, metric: "cost", unit: "ns/packet", values: costsLru });
    console.log(
      `${program.padEnd(4)} at 100k flows: ours ${spread(costs)}   LRU_HASH ${spread(costsLru)}   ours/LRU ${spread(pairs, 2)}`,
    );
    mine.close();
    theirs.close();
  }
}

/**
 * Rows go in by XDP and others out: in the twin with each that goes in; of ours all that have been silent for too long, by
 * the sweep of the main thread, which is on no packet's way. Its cost is a figure of its own.
 */
function measureInserts(ours: string, lru: string, rows: ResultRow[], ratios: Record<string, number>): void {
  const { object: mine, flows, bench } = loadOursForInserts(ours, INSERT_FLOWS);
  const theirs = loadLruForInserts(lru, INSERT_FLOWS);
  const expiry = new FlowExpiry(flows);
  const [costs, costsLru, sweeps]: number[][] = [[], [], []];
  const insertOurs = () => {
    const [inserting, sweeping] = [[], []] as number[][];
    for (let run = 0; run < INSERT_RUNS; run++) {
      bench[BENCH_NOW]! += 1000;
      inserting.push(time(mine, "insert", INSERT_FLOWS));
      const before = processorNanoseconds();
      expiry.tick(1, bench[BENCH_NOW]! + 500);
      sweeping.push((processorNanoseconds() - before) / INSERT_FLOWS);
      if (liveRows(flows) > 0) throw new Error(`${liveRows(flows)} of ${INSERT_FLOWS} rows have not ended`);
    }
    return { inserting: mean(inserting), sweeping: mean(sweeping) };
  };
  insertOurs();
  time(theirs, "insert");
  for (let round = 0; round < ROUNDS; round++) {
    const making = time(mine, "frames");
    const { inserting, sweeping } = insertOurs();
    costs!.push(inserting - making);
    sweeps!.push(sweeping);
    costsLru!.push(time(theirs, "insert", INSERT_FLOWS * INSERT_RUNS) - making);
  }
  const pairs = costs!.map((value, round) => value / costsLru![round]!);
  const withSweep = costs!.map((value, round) => (value + sweeps![round]!) / costsLru![round]!);
  ratios["insert/lru@100k"] = median(pairs);
  ratios["insert+expiry/lru@100k"] = median(withSweep);
  rows.push({ what: "insert, 100k flows", metric: "cost", unit: "ns/row", values: costs! });
  rows.push({ what: "expiry off the packet path, 100k flows", metric: "cost", unit: "ns/row", values: sweeps! });
  rows.push({ what: "LRU_HASH insert, 100k flows", metric: "cost", unit: "ns/row", values: costsLru! });
  console.log(`inserting a row at 100k flows: ours ${spread(costs!)}   LRU_HASH ${spread(costsLru!)}`);
  console.log(`                               ours/LRU ${spread(pairs, 2)}`);
  console.log(`     its expiry, by the sweep: ours ${spread(sweeps!)}   both/LRU ${spread(withSweep, 2)}`);
  mine.close();
  theirs.close();
}

/** All there may be of everything, beside the finding of a flow among as many, which nobody can do without. */
function measureMost(ours: string, rows: ResultRow[], ratios: Record<string, number>): void {
  const object = loadOurs(ours, MOST.flows, MOST);
  const costs: number[] = [];
  const lookups: number[] = [];
  for (const program of ["hit", "lookup"]) time(object, program);
  for (let round = 0; round < ROUNDS; round++) {
    const making = time(object, "frames");
    costs.push(time(object, "hit") - making);
    lookups.push(time(object, "lookup") - making);
  }
  const pairs = costs.map((value, round) => value / lookups[round]!);
  ratios["most/lookup@1M"] = median(pairs);
  rows.push({ what: "hit, 1M flows, 10k VIPs, 1k backends", metric: "cost", unit: "ns/packet", values: costs });
  rows.push({ what: "lookup alone, 1M flows", metric: "cost", unit: "ns/packet", values: lookups });
  console.log(
    `1M flows of 10,000 VIPs and 1,000 backends: ${spread(costs)}   finding the flow alone ${spread(lookups)}`,
  );
  console.log(`                               all/finding ${spread(pairs, 2)}`);
  object.close();
}

/** Nanoseconds of processor time per run: the kernel's own figure is a whole number, and waits for others are in it. */
function time(object: BpfObject, program: string, repeat = REPEAT): number {
  const before = processorNanoseconds();
  const { returnValue } = object
    .program(program)
    .testRun(BENCH_FRAME, { repeat, ingress: { interfaceIndex: 1, queue: 0 } });
  const nanoseconds = processorNanoseconds() - before;
  const expected = VERDICTS[program] ?? XDP_TX;
  if (returnValue !== expected) throw new Error(`${program} answered ${returnValue}, not ${expected}`);
  return nanoseconds / repeat;
}

function liveRows(flows: FlowTable4): number {
  let live = 0;
  for (let row = 0; row < flows.words.length; row += flows.layout.words) live += flows.isLive(row) ? 1 : 0;
  return live;
}

function processorNanoseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function spread(values: readonly number[], digits = 1): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))} ${text(Math.max(...values))})`.padEnd(20);
}

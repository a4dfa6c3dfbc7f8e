/**
 * `npm run bench -- xdp`: nanoseconds per packet of the product's XDP program, by BPF_PROG_TEST_RUN, beside a twin that
 * keeps its flows in an LRU_HASH; at 1k, 100k and 1M flows. Both are the same source but for the finding of a flow.
 *
 * Making the frames is part of each run; it is timed alone in the same round and taken off in both.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BpfObject } from "../src/xdp/bpf.ts";
import { median, type ResultRow, saveResults } from "./results.ts";
import { BENCH_FRAME, loadLru, loadLruForInserts, loadOurs, openInserter } from "./xdp/tables.ts";

const FLOWS = [1_000, 100_000, 1_000_000];
const ROUNDS = Number(process.env["SLUICE_BENCH_ROUNDS"] ?? 7);
const REPEAT = 2_000_000;
const INSERT_FLOWS = 100_000;

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  measureAll(compile("ours"), compile("lru"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function compile(name: string): string {
  const output = join(folder, `${name}.bpf.o`);
  const multiarch = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
  const include = [`-I/usr/include/${multiarch}`, `-I${join(import.meta.dirname, "../native/bpf")}`];
  const source = join(import.meta.dirname, "xdp", `${name}.bpf.c`);
  execFileSync("clang-14", ["-target", "bpf", "-g", "-O2", "-mcpu=v3", ...include, "-c", source, "-o", output]);
  return output;
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
  measureInserts(ours, lru, rows, ratios);
  saveResults("xdp", rows, ratios);
}

/** A row of a new flow, by whoever inserts: here a worker, in the twin its program. */
function measureInserts(ours: string, lru: string, rows: ResultRow[], ratios: Record<string, number>): void {
  const inserter = openInserter(ours, INSERT_FLOWS);
  const twin = loadLruForInserts(lru, INSERT_FLOWS);
  inserter.insert(REPEAT);
  time(twin, "insert");
  const mine: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    inserter.insert(REPEAT);
    const { user, system } = process.cpuUsage(before);
    mine.push(((user + system) * 1000) / REPEAT);
    theirs.push(time(twin, "insert") - time(twin, "frames"));
  }
  const pairs = mine.map((value, round) => value / theirs[round]!);
  ratios["insert/lru@100k"] = median(pairs);
  rows.push({ what: "insert, 100k flows", metric: "cost", unit: "ns/row", values: mine });
  rows.push({ what: "LRU_HASH insert, 100k flows", metric: "cost", unit: "ns/row", values: theirs });
  console.log(
    `inserting a row at 100k flows: by TypeScript ${spread(mine)}   into the LRU_HASH by XDP ${spread(theirs)}`,
  );
  console.log(`                               ours/LRU ${spread(pairs, 2)}`);
  inserter.close();
  twin.close();
}

/** Nanoseconds of processor time per run: the kernel's own figure is a whole number, and waits for others are in it. */
function time(object: BpfObject, program: string, repeat = REPEAT): number {
  const before = process.cpuUsage();
  const { returnValue } = object
    .program(program)
    .testRun(BENCH_FRAME, { repeat, ingress: { interfaceIndex: 1, queue: 0 } });
  const { user, system } = process.cpuUsage(before);
  const expected = program === "hit" ? 4 : 3;
  if (returnValue !== expected) throw new Error(`${program} answered ${returnValue}, not ${expected}`);
  return ((user + system) * 1000) / repeat;
}

function spread(values: readonly number[], digits = 1): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))} ${text(Math.max(...values))})`.padEnd(20);
}

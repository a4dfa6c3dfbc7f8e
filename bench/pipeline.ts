/**
 * `npm run bench -- pipeline`: nanoseconds per packet of the TypeScript pipeline beside a C program of the same
 * algorithm, at 1k, 100k and 1M established flows, and how often the garbage collector ran meanwhile.
 *
 * The two run in turn, each in a process of its own, several times; the ratio is taken within each pair. Making the
 * frames is timed alone and taken off, in both.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../scripts/bundle.ts";
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

const FLOWS = [1_000, 100_000, 1_000_000];
const { rounds: PAIRS } = benchSettings({ rounds: 5, seconds: 0 });
/** As bin/sluice starts the program. */
const RUNTIME_FLAGS = ["--max-inlined-bytecode-size=3000", "--max-inlined-bytecode-size-cumulative=6000"];
const PACKETS = 10_000_000;

const OTHER_PACKETS = 2_000_000;
/** Kinds of pipeline/traffic.ts. */
const TRAFFIC: Readonly<Record<string, string>> = {
  ipv6: "established IPv6 TCP",
  udp: "established IPv4 UDP",
  dsr: "IPv4 TCP by DSR with an option",
  new: "a new IPv4 flow every packet",
  mixed: "mixed: IPv4 60 %, IPv6 20 %, UDP, replies, new flows",
};

interface Measurement {
  readonly nanoseconds: number;
  readonly collections: number;
}

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  const source = (name: string) => join(import.meta.dirname, "pipeline", name);
  await bundle({ run: source("run.ts"), traffic: source("traffic.ts") }, folder);
  const twin = join(folder, "twin");
  run("cc", ["-O2", "-o", twin, source("twin.c")]);
  measureAll(twin, join(folder, "run.js"), join(folder, "traffic.js"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measureAll(twin: string, script: string, trafficScript: string): void {
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  let collections = 0;
  console.log(
    `established IPv4/TCP NAT, 64-byte frames, batches of 64; ${PAIRS} pairs of ${PACKETS / 1e6}M packets, ns per packet`,
  );
  console.log("   flows   TypeScript (min median max)   C (min median max)    ratio (min median max)   GCs");
  for (const flows of FLOWS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    let collected = 0;
    for (let pair = 0; pair < PAIRS; pair++) {
      theirs.push(measure(twin, [String(flows), String(PACKETS)], flows).nanoseconds);
      const own = measure(
        process.execPath,
        [...RUNTIME_FLAGS, "--trace-gc", script, String(flows), String(PACKETS)],
        flows,
      );
      ours.push(own.nanoseconds);
      collected += own.collections;
    }
    const pairRatios = ours.map((value, pair) => value / theirs[pair]!);
    const key = flows >= 1e6 ? `${flows / 1e6}M` : `${flows / 1e3}k`;
    rows.push(row(`TypeScript, ${key} flows`, ours), row(`C, ${key} flows`, theirs));
    ratios[`ts/c@${key}`] = median(pairRatios);
    collections += collected;
    console.log(
      `${String(flows).padStart(8)}   ${spread(ours, 1)}        ${spread(theirs, 1)}   ${spread(pairRatios, 2)}   ${collected}`,
    );
  }
  const own = { ours: rows[0]!.values, theirs: rows[1]!.values };
  collections += measureTraffic(trafficScript, rows);
  ratios["collections"] = collections;
  saveResults("pipeline", rows, ratios);
  drawPicture("pipeline", {
    title: "One established packet, 1,000 flows",
    unit: "ns on a core",
    bars: [bar("TypeScript", own.ours, true), bar("the same algorithm in C", own.theirs, false)],
  });
}

/** Other traffic, which has no twin in C: what it costs. @returns garbage collections. */
function measureTraffic(script: string, rows: ResultRow[]): number {
  let collections = 0;
  console.log("\nother traffic, 1,000 flows; TypeScript (min median max), GCs");
  for (const [kind, what] of Object.entries(TRAFFIC)) {
    const values: number[] = [];
    let collected = 0;
    for (let round = 0; round < PAIRS; round++) {
      const flags = [...RUNTIME_FLAGS, "--trace-gc"];
      const { nanoseconds, collections: now } = measure(
        process.execPath,
        [...flags, script, kind, `${OTHER_PACKETS}`],
        1_000,
        OTHER_PACKETS,
      );
      values.push(nanoseconds);
      collected += now;
    }
    rows.push(row(`TypeScript, ${what}`, values));
    collections += collected;
    console.log(`${what.padEnd(52)}  ${spread(values, 1)}   ${collected}`);
  }
  return collections;
}

function measure(command: string, args: readonly string[], flows: number, packets = PACKETS): Measurement {
  const output = run(command, args);
  const result = JSON.parse(/^\{.*\}$/m.exec(output)![0]) as { making: number; both: number; forwarded: number };
  if (result.forwarded < packets) {
    throw new Error(`${command} forwarded ${result.forwarded} of ${packets} packets at ${flows} flows`);
  }
  const measured = output.slice(output.indexOf("measure\n"), output.indexOf("done\n"));
  const collections = measured.match(/Scavenge|Mark-Compact/g)?.length ?? 0;
  return { nanoseconds: result.both - result.making, collections };
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  return stdout;
}

function row(what: string, values: readonly number[]): ResultRow {
  return { what, metric: "cost", unit: "ns/packet", values };
}

function spread(values: readonly number[], digits: number): string {
  return [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => value.toFixed(digits).padStart(6))
    .join(" ");
}

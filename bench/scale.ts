/**
 * `npm run bench -- scale`: how the pipeline's cost for a packet grows with flows, VIPs, backends and workers, and what
 * memory a flow takes. Established IPv4 flows, and the frame that opens one.
 *
 *   SLUICE_BENCH_ROUNDS=5
 *
 * With several VIPs each has one of the backends, with one it has them all. Workers share the flow table and nothing else;
 * their figure is the mean of what a packet costs each of them.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../scripts/bundle.ts";
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

interface Size {
  readonly flows: number;
  readonly vips: number;
  readonly backends: number;
  readonly workers: number;
}

interface Cost {
  readonly established: number;
  readonly opening: number;
  readonly bytesPerFlow: number;
}

/** With fewer flows the engine has not compiled yet what opens them. */
const LEAST_OPENED = 100_000;
const RUNTIME_FLAGS = ["--max-inlined-bytecode-size=3000", "--max-inlined-bytecode-size-cumulative=6000"];
const PACKETS = 4_000_000;
const BASE: Size = { flows: 100_000, vips: 1, backends: 1, workers: 1 };
const ALL_AT_ONCE: Size = { flows: 1_000_000, vips: 10_000, backends: 1_000, workers: 1 };
const MOST_FLOWS: Size = { ...BASE, flows: 1_000_000 };
const MOST_VIPS: Size = { ...BASE, vips: 10_000 };
const MOST_BACKENDS: Size = { ...BASE, backends: 1_000 };
const MORE_WORKERS: Size = { ...BASE, workers: Math.max(2, availableParallelism()) };
const SIZES: readonly Size[] = [
  { ...BASE, flows: 1_000 },
  BASE,
  MOST_FLOWS,
  { ...BASE, vips: 100 },
  MOST_VIPS,
  { ...BASE, backends: 100 },
  MOST_BACKENDS,
  MORE_WORKERS,
  ALL_AT_ONCE,
];

const { rounds } = benchSettings({ rounds: 5, seconds: 0 });
const costs = new Map(SIZES.map((size) => [size, [] as Cost[]]));
const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  await bundle({ run: join(import.meta.dirname, "scale/run.ts") }, folder);
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`scale: round ${round} of ${rounds}\n`);
    for (const size of SIZES) costs.get(size)!.push(measure(join(folder, "run.js"), size));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log(`ns per packet, ${rounds} rounds; median (min to max)`);
console.log("      flows    VIPs  backends  workers   established                 first frame of a flow");
const rows: ResultRow[] = [];
for (const [size, list] of costs) {
  const established = list.map((cost) => cost.established);
  const opening = list.map((cost) => cost.opening);
  const cells = [size.flows, size.vips, size.backends, size.workers].map((value, i) =>
    String(value).padStart([11, 8, 10, 9][i]!),
  );
  const isCompiled = size.flows >= LEAST_OPENED;
  console.log(`${cells.join("")}   ${spread(established).padEnd(26)}  ${isCompiled ? spread(opening) : "-"}`);
  const what = name(size);
  rows.push({ what, metric: "established", unit: "ns/packet", values: established });
  if (isCompiled) rows.push({ what, metric: "first frame", unit: "ns/packet", values: opening });
}
const ratios = {
  "established, 10k VIPs / 1": ratio(MOST_VIPS, BASE, ({ established }) => established),
  "established, 1k backends / 1": ratio(MOST_BACKENDS, BASE, ({ established }) => established),
  "established, 1M flows + 10k VIPs + 1k backends / 1M flows": ratio(
    ALL_AT_ONCE,
    MOST_FLOWS,
    ({ established }) => established,
  ),
  "established, workers / 1": ratio(MORE_WORKERS, BASE, ({ established }) => established),
  "opening, 10k VIPs / 1": ratio(MOST_VIPS, BASE, ({ opening }) => opening),
  "bytes-per-flow": costs.get(BASE)![0]!.bytesPerFlow,
};
for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(60)} ${value.toFixed(2)}`);
saveResults("scale", rows, ratios);
drawPicture("scale", {
  title: "An established packet, by what there is of everything",
  unit: "ns on a core",
  bars: SIZES.map((size) =>
    bar(
      name(size),
      costs.get(size)!.map(({ established }) => established),
      size !== BASE,
    ),
  ),
});

function measure(script: string, { flows, vips, backends, workers }: Size): Cost {
  const words = [flows, vips, backends, workers, PACKETS].map(String);
  const { status, stdout, stderr } = spawnSync(process.execPath, [...RUNTIME_FLAGS, script, ...words], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as Cost;
}

/** The median of the ratios within rounds. */
function ratio(a: Size, b: Size, figure: (cost: Cost) => number): number {
  return median(costs.get(a)!.map((cost, round) => figure(cost) / figure(costs.get(b)![round]!)));
}

function spread(values: readonly number[]): string {
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
}

function name({ flows, vips, backends, workers }: Size): string {
  const plural = (count: number, what: string) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
  const more = workers === 1 ? "" : `, ${plural(workers, "worker")}`;
  return `${plural(flows, "flow")}, ${plural(vips, "VIP")}, ${plural(backends, "backend")}${more}`;
}

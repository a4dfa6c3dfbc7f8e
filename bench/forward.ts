/**
 * `npm run bench -- forward`: how many frames a core forwards, and what each costs, through network namespaces: Sluice in
 * both its modes beside what else forwards on Linux. 64-byte TCP frames of established flows, made by the kernel itself
 * on a core of its own (bench/forward/generator.c), counted by XDP where they arrive.
 *
 *   SLUICE_BENCH_ROUNDS=5 SLUICE_BENCH_SECONDS=3
 *
 * The sink drops by XDP in native mode for all of them: nothing there is cheaper for a frame that XDP has forwarded, and
 * a frame that was forwarded as a socket buffer costs a conversion, as it does between any two veths with XDP.
 *
 * All run in turn, round by round, each time in a network made anew; a ratio is the median of those within a round.
 * Frames arrive at a rate that nobody keeps up with: what is lost on the way in is lost by design.
 */
import {
  C_L2FWD,
  C_NAT,
  type Contender,
  KERNEL,
  missing,
  NFT,
  NFT_MASQUERADE,
  SLUICE_HYBRID,
  SLUICE_USERSPACE,
  TESTPMD,
  TS_L2FWD,
  XDP_REDIRECT,
  XDP_TOOLS,
} from "./forward/contenders.ts";
import { measureIdle, measureRate, type Rate } from "./forward/rate.ts";
import { buildTools, type Tools } from "./forward/tools.ts";
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

interface Series {
  readonly contender: Contender;
  readonly flows: number;
  readonly rates: Rate[];
  /** Why there are no figures; `null` when there are. */
  skipped: string | null;
}

/** What ticks seldom has to tick in it, too. */
const IDLE_SECONDS = 15;

const { rounds, seconds } = benchSettings({ rounds: 5, seconds: 3 });
const ALL = [
  XDP_REDIRECT,
  SLUICE_HYBRID,
  XDP_TOOLS,
  KERNEL,
  C_L2FWD,
  TS_L2FWD,
  C_NAT,
  SLUICE_USERSPACE,
  TESTPMD,
  NFT,
  NFT_MASQUERADE,
];
const series: Series[] = [
  ...ALL.map((contender) => ({ contender, flows: 1_000 })),
  ...[SLUICE_HYBRID, C_NAT, SLUICE_USERSPACE, NFT].map((contender) => ({ contender, flows: 100_000 })),
].map((each) => ({ ...each, rates: [], skipped: missing(each.contender) }));

const tools = await buildTools();
try {
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`forward: round ${round} of ${rounds}\n`);
    for (const each of series) await measureOnce(each, tools);
  }
  report(await measureIdle(SLUICE_HYBRID, IDLE_SECONDS, tools));
} finally {
  tools.remove();
}

/** What another package brings may not run here; what is ours must. */
async function measureOnce(each: Series, tools: Tools): Promise<void> {
  if (each.skipped !== null) return;
  try {
    each.rates.push(await measureRate(each.contender, each.flows, seconds, tools));
  } catch (error) {
    if (each.contender !== XDP_TOOLS && each.contender !== TESTPMD) throw error;
    each.skipped = (error as Error).message.trim();
  }
}

function report(idlePercent: number): void {
  console.log(`64-byte TCP frames of established flows, ${rounds} rounds of ${seconds} s; median (min to max)`);
  console.log("  flows   who                          Mpps                     core-ns   of its process   GCs");
  const rows: ResultRow[] = [];
  for (const { contender, flows, rates, skipped } of series) {
    const head = `${label(flows).padStart(7)}   ${contender.name.padEnd(27)}`;
    if (rates.length === 0) {
      console.log(`${head}  skipped: ${skipped}`);
      continue;
    }
    const mpps = rates.map((rate) => rate.mpps);
    const core = rates.map((rate) => rate.coreNanoseconds);
    const own = rates.map((rate) => rate.processNanoseconds);
    const collections = rates.map((rate) => rate.collections);
    const what = `${contender.name}, ${label(flows)} flows`;
    rows.push(
      { what, metric: "rate", unit: "Mpps", values: mpps },
      { what, metric: "cost", unit: "core-ns/packet", values: core },
    );
    if (!Number.isNaN(own[0])) rows.push({ what, metric: "cost of the process", unit: "cpu-ns/packet", values: own });
    const spread = `${median(mpps).toFixed(2).padStart(6)} (${Math.min(...mpps).toFixed(2)} to ${Math.max(...mpps).toFixed(2)})`;
    const process = Number.isNaN(own[0]) ? "in the kernel" : median(own).toFixed(0);
    console.log(
      `${head}  ${spread.padEnd(23)}  ${median(core).toFixed(0).padStart(7)}   ${process.padEnd(14)}   ${Math.max(...collections)}`,
    );
  }
  const ratios: Record<string, number> = {
    "hybrid/nft@1k": ratio(SLUICE_HYBRID, NFT, 1_000, rate),
    "hybrid/nft@100k": ratio(SLUICE_HYBRID, NFT, 100_000, rate),
    "hybrid/userspace@1k": ratio(SLUICE_HYBRID, SLUICE_USERSPACE, 1_000, rate),
    "hybrid/redirect@1k": ratio(SLUICE_HYBRID, XDP_REDIRECT, 1_000, rate),
    "l2fwd-ts/c": ratio(C_L2FWD, TS_L2FWD, 1_000, processCost),
    "nat-ts/c": ratio(C_NAT, SLUICE_USERSPACE, 1_000, processCost),
    "nat-ts/c@100k": ratio(C_NAT, SLUICE_USERSPACE, 100_000, processCost),
    "userspace/nft@1k": ratio(SLUICE_USERSPACE, NFT, 1_000, rate),
    "userspace/nft-masq@1k": ratio(SLUICE_USERSPACE, NFT_MASQUERADE, 1_000, rate),
    collections: Math.max(...of(SLUICE_USERSPACE, 1_000).map(({ collections }) => collections)),
    "idle-cpu-percent": idlePercent,
  };
  for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(24)} ${value.toFixed(2)}`);
  saveResults("forward", rows, ratios);
  drawPicture("forward", {
    title: "Frames forwarded by one core, 1,000 flows",
    unit: "Mpps",
    bars: series
      .filter(({ flows, rates }) => flows === 1_000 && rates.length > 0)
      .map(({ contender, rates }) => bar(contender.name, rates.map(rate), isOurs(contender)))
      .sort((a, b) => b.value - a.value),
  });
}

/** The median of the ratios within rounds. */
function ratio(a: Contender, b: Contender, flows: number, figure: (rate: Rate) => number): number {
  const [mine, others] = [of(a, flows), of(b, flows)];
  return median(mine.map((value, round) => figure(value) / figure(others[round]!)));
}

function of(contender: Contender, flows: number): readonly Rate[] {
  return series.find((each) => each.contender === contender && each.flows === flows)!.rates;
}

function isOurs({ name }: Contender): boolean {
  return name.startsWith("Sluice") || name.startsWith("TypeScript");
}

function rate({ mpps }: Rate): number {
  return mpps;
}

function processCost({ processNanoseconds }: Rate): number {
  return processNanoseconds;
}

function label(flows: number): string {
  return `${flows / 1_000}k`;
}

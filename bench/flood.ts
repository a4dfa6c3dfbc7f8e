/**
 * `npm run bench -- flood`: what a flood of SYNs costs a connection that is there. A download of 1 GB through the gateway,
 * undisturbed and while a core does nothing but send SYNs of random clients to the same address, as fast as it can; then,
 * under the flood, with the gateway's process killed in the middle of it, the next one started, and that one replaced as an
 * upgrade does it. nftables beside it.
 *
 *   SLUICE_BENCH_ROUNDS=3
 */
import { setTimeout as sleep } from "node:timers/promises";
import { longestSilence } from "./flood/download.ts";
import { Body, FloodedNetwork, MEGABYTES, type Trial } from "./flood/flooded-network.ts";
import { buildTools } from "./forward/tools.ts";
import { benchSettings } from "./harness/settings.ts";
import { median, type ResultRow, saveResults } from "./results.ts";

/** The longest time without a byte, and the longest answer to who asks past the gateway, in the same time; milliseconds. */
interface Stall {
  readonly download: number;
  readonly witness: number;
}

const PHASES = [
  ["beside", "nothing but the flood"],
  ["death", "SIGKILL, and two seconds without a process"],
  ["rebirth", "the next process starts"],
  ["restart", "it ends with --keep-flows, another starts"],
] as const;

interface Lives {
  readonly megabytesPerSecond: number;
  /** One for each of `PHASES`. */
  readonly stalls: readonly Stall[];
}

interface Series {
  readonly who: "Sluice" | "nftables";
  readonly undisturbed: Trial[];
  readonly flooded: Trial[];
}

const { rounds } = benchSettings({ rounds: 3, seconds: 0 });
const tools = await buildTools();
const body = new Body();
const sluice: Series = { who: "Sluice", undisturbed: [], flooded: [] };
const nft: Series = { who: "nftables", undisturbed: [], flooded: [] };
const lives: Lives[] = [];
try {
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`flood: round ${round} of ${rounds}\n`);
    for (const { who, undisturbed, flooded } of [sluice, nft]) {
      const network = await FloodedNetwork.start(who, tools, body);
      try {
        undisturbed.push(await network.download(false));
        flooded.push(await network.download(true));
        if (who === "Sluice") lives.push(await downloadOverLives(network));
      } finally {
        network.close();
      }
    }
  }
} finally {
  tools.remove();
  body.remove();
}
report();

async function downloadOverLives(network: FloodedNetwork): Promise<Lives> {
  const times: number[] = [];
  const mark = () => times.push(Date.now());
  const trial = await network.download(true, async () => {
    mark();
    await sleep(3000);
    mark();
    await network.stopGateway("SIGKILL");
    await sleep(2000);
    mark();
    await network.startGateway();
    await sleep(1000);
    mark();
    await network.stopGateway("SIGTERM");
    await network.startGateway();
    await sleep(1000);
    mark();
  });
  const stalls = PHASES.map((_, phase): Stall => {
    const [from, to] = [times[phase]!, times[phase + 1]!];
    return { download: longestSilence(trial.silences, from, to), witness: longestSilence(trial.witness, from, to) };
  });
  return { megabytesPerSecond: trial.megabytesPerSecond, stalls };
}

function report(): void {
  console.log(`a download of ${MEGABYTES / 1000} GB beside a flood of SYNs, ${rounds} rounds; median (min to max)`);
  console.log(
    "  who                 MB/s alone              MB/s under the flood    share                SYNs a second   stall, ms",
  );
  const rows: ResultRow[] = [];
  const ratios: Record<string, number> = {};
  for (const { who, key, undisturbed, flooded } of [
    { ...sluice, key: "flooded/undisturbed" },
    { ...nft, key: "nft: flooded/undisturbed" },
  ]) {
    const alone = undisturbed.map((trial) => trial.megabytesPerSecond);
    const under = flooded.map((trial) => trial.megabytesPerSecond);
    const share = under.map((value, round) => value / alone[round]!);
    const floods = flooded.map((trial) => trial.floodPerSecond);
    const stalls = flooded.map((trial) => longestSilence(trial.silences));
    ratios[key] = median(share);
    rows.push(
      { what: who, metric: "download alone", unit: "MB/s", values: alone },
      { what: who, metric: "download under a flood", unit: "MB/s", values: under },
      { what: who, metric: "flood", unit: "frames/s", values: floods },
      { what: who, metric: "longest stall under a flood", unit: "ms", values: stalls },
    );
    console.log(
      `  ${who.padEnd(18)}  ${spread(alone)}  ${spread(under)}  ${spread(share, 2)}  ${median(floods).toFixed(0).padStart(12)}   ${Math.max(
        ...stalls,
      )
        .toFixed(0)
        .padStart(8)}`,
    );
  }
  const speeds = lives.map(({ megabytesPerSecond }) => megabytesPerSecond);
  console.log(`one connection under the flood, ${spread(speeds).trim()} MB/s, every hash right; longest stall, ms`);
  console.log(`  ${"".padEnd(44)}  of the download         of answers past the gateway`);
  PHASES.forEach(([key, what], phase) => {
    const download = lives.map(({ stalls }) => stalls[phase]!.download);
    const witness = lives.map(({ stalls }) => stalls[phase]!.witness);
    ratios[`stall-${key}-milliseconds`] = Math.max(...download);
    rows.push(
      { what: `Sluice, ${what}`, metric: "longest stall", unit: "ms", values: download },
      { what: `Sluice, ${what}`, metric: "longest answer past the gateway", unit: "ms", values: witness },
    );
    console.log(`  ${what.padEnd(44)}  ${spread(download)}  ${spread(witness)}`);
  });
  for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(30)} ${value.toFixed(2)}`);
  saveResults("flood", rows, ratios);
}

function spread(values: readonly number[], digits = 0): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`.padEnd(22);
}

/**
 * `npm run bench -- flood`: what a flood of SYNs costs a connection that is there. A download of 1 GB through the gateway,
 * undisturbed and while a core does nothing but send SYNs of random clients to the same address, as fast as it can; then
 * the same with the gateway's process killed in the middle of it and started again. nftables beside it.
 *
 *   SLUICE_BENCH_ROUNDS=3
 *
 * Everything that the download is about has the other core, with the flood and without: client, server and gateway. What
 * the flood's frames cost where they go, up to the backend's own stack, is paid on the flood's core.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ACK } from "../src/wire/transport.ts";
import { type FrameFields, ipv4Frame } from "../test/fixtures/frames.ts";
import { VIP } from "../test/fixtures/gateway.ts";
import { writeDeterministicBody } from "../test/lab/deterministic-body.ts";
import type { Namespace } from "../test/lab/namespace.ts";
import type { LabProcess } from "../test/lab/process.ts";
import { waitFor } from "../test/lab/wait-for.ts";
import type { Download } from "./flood/download.ts";
import { buildTools } from "./forward/tools.ts";
import { benchSettings } from "./harness/settings.ts";
import { startSluice } from "./harness/sluice.ts";
import { median, type ResultRow, saveResults } from "./results.ts";
import { NFT } from "./service/contenders.ts";
import { ServiceNetwork } from "./service/network.ts";

const MEGABYTES = 1000;
const [DOWNLOAD_CORE, FLOOD_CORE] = [0, 1];
const WARM_UP_SECONDS = 1;
/** Downloads over one connection for so long outlast the death of a process and the start of the next. */
const OVER_DEATH_SECONDS = 12;
const onItsCore = ["taskset", "-c", `${DOWNLOAD_CORE}`];
const CLIENT = join(import.meta.dirname, "flood/download.ts");
const URL = `http://${VIP}:80/www/body`;

interface Trial extends Download {
  /** SYNs that were sent, a second. */
  readonly floodPerSecond: number;
}

interface FloodNetwork {
  readonly network: ServiceNetwork;
  readonly gateway: LabProcess | null;
  readonly sha256: string;
}

interface Series {
  readonly who: string;
  readonly undisturbed: Trial[];
  readonly flooded: Trial[];
}

const { rounds } = benchSettings({ rounds: 3, seconds: 0 });
const tools = await buildTools();
const sluice: Series = { who: "Sluice", undisturbed: [], flooded: [] };
const nft: Series = { who: "nftables DNAT", undisturbed: [], flooded: [] };
const killed: Trial[] = [];
try {
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`flood: round ${round} of ${rounds}\n`);
    for (const { who, undisturbed, flooded } of [sluice, nft]) {
      const of = await start(who);
      try {
        undisturbed.push(await download(of, 1, false));
        flooded.push(await download(of, 1, true));
      } finally {
        of.network.close();
      }
    }
    const { megabytesPerSecond } = sluice.flooded.at(-1)!;
    killed.push(await downloadOverDeath(Math.ceil((megabytesPerSecond * OVER_DEATH_SECONDS) / MEGABYTES)));
  }
} finally {
  tools.remove();
}
report();

async function start(who: string): Promise<FloodNetwork> {
  const network = await ServiceNetwork.start(onItsCore);
  try {
    const folder = join(network.lab.folder, "www");
    mkdirSync(folder);
    const sha256 = writeDeterministicBody(join(folder, "body"), MEGABYTES * 1e6);
    const gateway = who === nft.who ? null : await startGateway(network);
    if (gateway === null) await NFT.start(network);
    return { network, gateway, sha256 };
  } catch (error) {
    network.close();
    throw error;
  }
}

function startGateway({ lab, node }: ServiceNetwork): Promise<LabProcess> {
  return startSluice(lab, node, { datapath: "auto", xdpMode: "native", prefix: onItsCore });
}

/** @param around what happens meanwhile; the flood goes on until it resolves and the downloads have come. */
async function download(
  of: FloodNetwork,
  count: number,
  withFlood: boolean,
  around?: (client: LabProcess) => Promise<void>,
): Promise<Trial> {
  const { network, sha256 } = of;
  const flood = withFlood ? await startFlood(network) : null;
  if (flood !== null) await sleep(WARM_UP_SECONDS * 1000);
  const [before, since] = [arrived(network), performance.now()];
  const client = network.client.start("download", [...onItsCore, process.execPath, CLIENT, URL, `${count}`]);
  await waitFor("the first byte", () => client.log().includes("begun") || client.exit() !== null);
  await around?.(client);
  await waitFor("the download", () => client.exit() !== null, { timeoutSeconds: 120, seen: () => client.log() });
  const floodPerSecond = ((arrived(network) - before) / (performance.now() - since)) * 1000;
  await flood?.stop();
  const result = client
    .log()
    .split("\n")
    .find((line) => line.startsWith("{"));
  if (result === undefined) throw new Error(`the download has failed: ${client.log().slice(-500)}`);
  const trial = { ...(JSON.parse(result) as Download), floodPerSecond };
  if (trial.sha256.some((hash) => hash !== sha256)) throw new Error("what came is not what was sent");
  if (trial.connections !== 1) throw new Error(`the downloads took ${trial.connections} connections`);
  return trial;
}

/** The process is killed under the flood, is dead for a while, and starts anew. */
async function downloadOverDeath(count: number): Promise<Trial> {
  const of = await start(sluice.who);
  try {
    return await download(of, count, true, async (client) => {
      await sleep(1000);
      await of.gateway!.stop("SIGKILL");
      await sleep(2000);
      await startGateway(of.network);
      if (client.exit() !== null) throw new Error("the downloads were over before the next process had begun");
    });
  } finally {
    of.network.close();
  }
}

/** SYNs to the VIP, by a core of their own, from the client's end of the uplink. */
async function startFlood({ client, node }: ServiceNetwork): Promise<LabProcess> {
  const macOf = (of: Namespace, device: string): string =>
    (JSON.parse(of.run(["ip", "-j", "link", "show", device])) as [{ address: string }])[0].address;
  const fields: FrameFields = {
    destinationMac: macOf(node, "net0"),
    sourceMac: macOf(client, "cli0"),
    source: "11.0.0.0",
    destination: VIP,
    sourcePort: 1024,
    destinationPort: 80,
    protocol: 6,
    flags: ACK,
    payload: new Uint8Array(10),
  };
  const frame = Buffer.from(ipv4Frame(fields)).toString("hex");
  const words = [tools.generator, tools.object, "cli0", "1", "300", `${FLOOD_CORE}`, frame, "random"];
  const flood = client.start("flood", words);
  await waitFor("the flood", () => flood.log().includes("sending") || flood.exit() !== null, {
    seen: () => flood.log(),
  });
  return flood;
}

/** Frames that have come to the gateway's uplink. */
function arrived({ node }: ServiceNetwork): number {
  const text = node.run(["ip", "-j", "-s", "link", "show", "net0"]);
  return (JSON.parse(text) as [{ stats64: { rx: { packets: number } } }])[0].stats64.rx.packets;
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
    const stalls = flooded.map((trial) => trial.longestStall);
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
  const stalls = killed.map((trial) => trial.longestStall);
  ratios["stall-over-death-milliseconds"] = Math.max(...stalls);
  rows.push({ what: "Sluice, killed and started again", metric: "longest stall", unit: "ms", values: stalls });
  console.log(
    `  killed and started again under the flood: ${spread(killed.map((trial) => trial.megabytesPerSecond))} MB/s, the longest stall ${Math.max(...stalls).toFixed(0)} ms, one connection, every hash right`,
  );
  for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(30)} ${value.toFixed(2)}`);
  saveResults("flood", rows, ratios);
}

function spread(values: readonly number[], digits = 0): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`.padEnd(22);
}

/**
 * `npm run bench -- latency`: how long a request takes on a connection that is open already: wrk with one connection,
 * where nothing waits for anything else, and with 32, through Sluice in both modes, nftables, HAProxy and nothing at all.
 * With one there is a witness too, a relay in C that keeps a core awake as a worker of `--datapath userspace` does.
 *
 *   SLUICE_BENCH_ROUNDS=3 SLUICE_BENCH_SECONDS=3
 */
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { type ResultRow, saveResults } from "./results.ts";
import { compareServices, printServices, serviceRatio, serviceRows } from "./service/compare.ts";
import { DIRECT, HAPROXY, NFT, SLUICE_HYBRID, SLUICE_USERSPACE, SPINNING_RELAY } from "./service/contenders.ts";

const CONNECTIONS = [1, 32];
const CONTENDERS = [DIRECT, SLUICE_HYBRID, SLUICE_USERSPACE, NFT, HAPROXY];

const { rounds, seconds } = benchSettings({ rounds: 3, seconds: 3 });
const rows: ResultRow[] = [];
const ratios: Record<string, number> = {};
for (const connections of CONNECTIONS) {
  const options = { connections, seconds, newConnections: false };
  const contenders = connections === 1 ? [...CONTENDERS, SPINNING_RELAY] : CONTENDERS;
  const series = await compareServices(`latency, ${connections} at once`, contenders, rounds, options);
  const [direct, hybrid, userspace] = [DIRECT, SLUICE_HYBRID, SLUICE_USERSPACE].map(
    (contender) => series.find((each) => each.contender === contender)!,
  );
  console.log(`open connections, ${connections} at once, ${rounds} rounds of ${seconds} s; median (min to max)`);
  printServices(series, "requests/s");
  for (const row of serviceRows(series, "rate", "requests/s")) {
    rows.push({ ...row, what: `${row.what}, ${connections} connections` });
  }
  for (const percent of ["p50", "p99"] as const) {
    ratios[`hybrid/direct-${percent}@${connections}`] = serviceRatio(hybrid!, direct!, (result) => result[percent]);
    ratios[`userspace/direct-${percent}@${connections}`] = serviceRatio(
      userspace!,
      direct!,
      (result) => result[percent],
    );
  }
  if (connections === 1) {
    drawPicture("latency", {
      title: "Half of the requests on one open connection are answered within",
      unit: "microseconds",
      bars: series.map(({ contender: { name }, results }) =>
        bar(
          name,
          results.map(({ p50 }) => p50),
          name.startsWith("Sluice"),
        ),
      ),
    });
  }
}
for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(28)} ${value.toFixed(2)}`);
saveResults("latency", rows, ratios);

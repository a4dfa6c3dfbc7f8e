/**
 * `npm run bench -- connections`: new TCP connections a second, one request each, as many as there can be: wrk with 32 at
 * once, through Sluice in its modes and with source NAT, nftables, HAProxy and nothing at all. A source port that is used
 * again too early shows as a SYN that the client has to send once more. Then, at a pace that leaves both cores time, how
 * long a connection takes from its SYN to its end.
 *
 *   SLUICE_BENCH_ROUNDS=5 SLUICE_BENCH_SECONDS=3
 */
import { bar, drawPicture } from "./harness/picture.ts";
import { benchSettings } from "./harness/settings.ts";
import { saveResults } from "./results.ts";
import { compareServices, pacedRows, printPaced, printServices, serviceRatio, serviceRows } from "./service/compare.ts";
import {
  DIRECT,
  HAPROXY,
  NFT,
  NFT_MASQUERADE,
  type ServiceContender,
  SLUICE_HYBRID,
  SLUICE_KERNEL,
  SLUICE_SOURCE_NAT,
  SLUICE_USERSPACE,
} from "./service/contenders.ts";
import { PacedClient } from "./service/paced-client.ts";

const CONNECTIONS = 32;
const PACE = 4000;

const { rounds, seconds } = benchSettings({ rounds: 5, seconds: 3 });
const contenders = [
  DIRECT,
  SLUICE_HYBRID,
  SLUICE_KERNEL,
  SLUICE_USERSPACE,
  SLUICE_SOURCE_NAT,
  NFT,
  NFT_MASQUERADE,
  HAPROXY,
];
const client = new PacedClient();
const options = { connections: CONNECTIONS, seconds, newConnections: true, paced: { client, perSecond: PACE } };
const series = await compareServices("connections", contenders, rounds, options).finally(() => client.remove());
const rate = (of: ServiceContender) => serviceRatio(seriesOf(of), seriesOf(DIRECT), ({ perSecond }) => perSecond);
const p99 = (of: ServiceContender) => serviceRatio(seriesOf(of), seriesOf(DIRECT), (result) => result.p99);
const paced = (of: ServiceContender) =>
  serviceRatio(seriesOf(of), seriesOf(DIRECT), (result) => result.paced!.answered.p99);

console.log(`one request a connection, ${CONNECTIONS} at once, ${rounds} rounds of ${seconds} s; median (min to max)`);
printServices(series, "connections/s");
printPaced(series, PACE);
const ratios = {
  "hybrid/direct": rate(SLUICE_HYBRID),
  "kernel/direct": rate(SLUICE_KERNEL),
  "userspace/direct": rate(SLUICE_USERSPACE),
  "source-nat/direct": rate(SLUICE_SOURCE_NAT),
  "nft/direct": rate(NFT),
  "nft-masq/direct": rate(NFT_MASQUERADE),
  "haproxy/direct": rate(HAPROXY),
  "hybrid/direct-p99": p99(SLUICE_HYBRID),
  "kernel/direct-p99": p99(SLUICE_KERNEL),
  "userspace/direct-p99": p99(SLUICE_USERSPACE),
  "nft/direct-p99": p99(NFT),
  "haproxy/direct-p99": p99(HAPROXY),
  "hybrid/direct-paced-p99": paced(SLUICE_HYBRID),
  "kernel/direct-paced-p99": paced(SLUICE_KERNEL),
  "userspace/direct-paced-p99": paced(SLUICE_USERSPACE),
  "nft/direct-paced-p99": paced(NFT),
  "haproxy/direct-paced-p99": paced(HAPROXY),
};
for (const [key, value] of Object.entries(ratios)) console.log(`${key.padEnd(24)} ${value.toFixed(2)}`);
const rows = [...serviceRows(series, "rate", "connections/s"), ...pacedRows(series, PACE)];
saveResults("connections", rows, ratios);
drawPicture("connections", {
  title: `New TCP connections, ${CONNECTIONS} at once`,
  unit: "connections/s",
  bars: series
    .map(({ contender: { name }, results }) =>
      bar(
        name,
        results.map(({ perSecond }) => perSecond),
        name.startsWith("Sluice"),
      ),
    )
    .sort((a, b) => b.value - a.value),
});

function seriesOf(contender: ServiceContender) {
  return series.find((each) => each.contender === contender)!;
}

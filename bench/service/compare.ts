/** All contenders in turn, round by round; their table, and the ratios to direct routing. */
import { median, type ResultRow } from "../results.ts";
import type { ServiceContender } from "./contenders.ts";
import { measureService, type ServiceResult, type WrkOptions } from "./wrk.ts";

export interface ServiceSeries {
  readonly contender: ServiceContender;
  readonly results: ServiceResult[];
}

export async function compareServices(
  what: string,
  contenders: readonly ServiceContender[],
  rounds: number,
  options: WrkOptions,
): Promise<ServiceSeries[]> {
  const series = contenders.map((contender): ServiceSeries => ({ contender, results: [] }));
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`${what}: round ${round} of ${rounds}\n`);
    for (const { contender, results } of series) results.push(await measureService(contender, options));
  }
  return series;
}

/** The median of the ratios within rounds. */
export function serviceRatio(a: ServiceSeries, b: ServiceSeries, figure: (result: ServiceResult) => number): number {
  return median(a.results.map((result, round) => figure(result) / figure(b.results[round]!)));
}

/** @param unit what is counted each second. */
export function printServices(series: readonly ServiceSeries[], unit: string): void {
  console.log(`  who                          ${unit.padEnd(34)}  p50 us   p99 us   errors  SYNs again`);
  for (const { contender, results } of series) {
    const rates = results.map(({ perSecond }) => perSecond);
    const spread = `${median(rates).toFixed(0)} (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)})`;
    const p50 = median(results.map((result) => result.p50)).toFixed(0);
    const p99 = median(results.map((result) => result.p99)).toFixed(0);
    const errors = results.reduce((sum, result) => sum + result.errors, 0);
    const again = results.reduce((sum, result) => sum + result.synRetransmissions, 0);
    console.log(
      `  ${contender.name.padEnd(27)}  ${spread.padEnd(34)}  ${p50.padStart(6)}  ${p99.padStart(7)}  ${String(errors).padStart(7)}  ${String(again).padStart(10)}`,
    );
  }
}

/** @param perSecond the pace. */
export function printPaced(series: readonly ServiceSeries[], perSecond: number): void {
  console.log(`\n  at ${perSecond} connections/s       connected p50   p99 us    answered p50   p99 us   failed`);
  for (const { contender, results } of series) {
    const paced = results.flatMap((result) => result.paced ?? []);
    const cells = [
      median(paced.map(({ connected }) => connected.p50)),
      median(paced.map(({ connected }) => connected.p99)),
      median(paced.map(({ answered }) => answered.p50)),
      median(paced.map(({ answered }) => answered.p99)),
      paced.reduce((sum, { failed }) => sum + failed, 0),
    ].map((value, column) => value.toFixed(0).padStart([17, 9, 16, 9, 9][column]!));
    console.log(`  ${contender.name.padEnd(27)}${cells.join("")}`);
  }
}

export function pacedRows(series: readonly ServiceSeries[], perSecond: number): ResultRow[] {
  const what = (name: string) => `${name}, at ${perSecond} connections/s`;
  return series.flatMap(({ contender: { name }, results }) =>
    (["connected", "answered"] as const).flatMap((until) =>
      (["p50", "p99"] as const).map((percent) => ({
        ...{ what: what(name), metric: `${until} ${percent}`, unit: "us" },
        values: results.flatMap(({ paced }) => paced?.[until][percent] ?? []),
      })),
    ),
  );
}

export function serviceRows(series: readonly ServiceSeries[], metric: string, unit: string): ResultRow[] {
  return series.flatMap(({ contender: { name: what }, results }) => [
    { what, metric, unit, values: results.map(({ perSecond }) => perSecond) },
    { what, metric: "latency p50", unit: "us", values: results.map(({ p50 }) => p50) },
    { what, metric: "latency p99", unit: "us", values: results.map(({ p99 }) => p99) },
    { what, metric: "errors", unit: "count", values: results.map(({ errors }) => errors) },
    {
      what,
      metric: "SYN retransmissions",
      unit: "count",
      values: results.map((result) => result.synRetransmissions),
    },
  ]);
}

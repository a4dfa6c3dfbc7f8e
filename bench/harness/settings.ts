/** How long a benchmark runs: its own measure, or what the environment says, for a look on a busy machine. */

export interface BenchSettings {
  /** All contenders in turn, so many times. */
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
}

/** SLUICE_BENCH_ROUNDS and SLUICE_BENCH_SECONDS. */
export function benchSettings(usual: BenchSettings): BenchSettings {
  return { rounds: fromEnvironment("ROUNDS", usual.rounds), seconds: fromEnvironment("SECONDS", usual.seconds) };
}

function fromEnvironment(name: string, usual: number): number {
  const text = process.env[`SLUICE_BENCH_${name}`];
  if (text === undefined) return usual;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`SLUICE_BENCH_${name} must be a number above 0, not "${text}"`);
  return value;
}

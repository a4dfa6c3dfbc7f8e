/**
 * `npm run lab -- NAME [--check] [--keep] [...]`: the network of a document, with real routers, a real API server and
 * Sluice on every node, in network namespaces of this machine.
 *
 * Without a flag it is a guided tour: what to type, what comes back, what that shows. `--check` prints a row for each
 * claim and nothing else; `--keep` leaves everything up until Ctrl-C. After `chaos` events may be named: only these happen.
 */
import { parseArgs } from "node:util";
import { chaosLab } from "../test/labs/chaos/chaos-lab.ts";
import { DATAPATHS, type DocumentLab, goTo, type LabOptions, type StandingLab } from "../test/labs/document-lab.ts";
import { EDGE } from "../test/labs/edge/edge-lab.ts";
import { LEAF_SPINE } from "../test/labs/leaf-spine/leaf-spine-lab.ts";
import { METALLB } from "../test/labs/metallb/metallb-lab.ts";
import { type Row, Tour } from "../test/labs/tour.ts";
import { build } from "./build.ts";

const LABS = { "leaf-spine": LEAF_SPINE, edge: EDGE, metallb: METALLB, chaos: chaosLab() } as const;

interface Asked {
  readonly lab: DocumentLab<StandingLab>;
  readonly check: boolean;
  readonly keep: boolean;
  readonly options: LabOptions;
}

const USAGE = `usage: npm run lab -- ${Object.keys(LABS).join("|")} [EVENT...] [--check] [--keep] [--datapath ${DATAPATHS.join("|")}] \
[--router frr|bird] [--family ipv4|ipv6]`;

function asked(args: readonly string[]): Asked {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { check: flag, keep: flag, datapath: text, router: text, family: text },
  });
  const [name = "", ...events] = positionals;
  if (!(name in LABS) || (events.length > 0 && name !== "chaos")) throw new Error(`which lab? ${USAGE}`);
  const lab = events.length > 0 ? chaosLab(events) : LABS[name as keyof typeof LABS];
  return {
    lab: lab as DocumentLab<StandingLab>,
    check: values.check,
    keep: values.keep,
    options: {
      family: oneOf("family", ["ipv4", "ipv6"], values.family) ?? "ipv4",
      router: oneOf("router", ["frr", "bird"], values.router) ?? "frr",
      datapath: oneOf("datapath", DATAPATHS, values.datapath),
    },
  };
}

function oneOf<T extends string>(flag: string, choices: readonly T[], value: string | undefined): T | null {
  if (value === undefined) return null;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new Error(`--${flag} is one of ${choices.join(", ")}, not "${value}"`);
  return found;
}

async function run({ lab: definition, check, keep, options }: Asked): Promise<boolean> {
  const startedAt = performance.now();
  await build();
  const tour = new Tour((text) => process.stdout.write(text), { commands: !check });
  const words = [options.family, options.router, options.datapath].filter(Boolean).join(", ");
  process.stdout.write(`${definition.title} (${words})\n`);
  const network = await definition.build(options);
  try {
    for (const stop of definition.stops) await goTo(stop, tour, network);
    summarize(definition, tour.rows, (performance.now() - startedAt) / 1000);
    if (keep) await stayUp(network);
  } finally {
    await network.close();
  }
  return tour.rows.every(({ outcome }) => outcome !== "failed");
}

function summarize(
  { name, claims }: { name: string; claims: readonly string[] },
  rows: readonly Row[],
  seconds: number,
) {
  const outcomeOf = (claim: string) => {
    const outcomes = rows.filter((row) => row.claim === claim).map(({ outcome }) => outcome);
    return outcomes.find((outcome) => outcome !== "shown") ?? outcomes[0] ?? "not yet";
  };
  const claimed = (outcome: Row["outcome"]) => claims.filter((claim) => outcomeOf(claim) === outcome);
  const list = (outcome: Row["outcome"]) =>
    `${claimed(outcome).length} ${outcome}${claimed(outcome).length > 0 ? ` (${claimed(outcome).join(" ")})` : ""}`;
  const all = (["shown", "failed", "not yet"] as const).map(list).join(", ");
  process.stdout.write(`\nlab ${name}: of ${claims.length} claims ${all}; ${seconds.toFixed(0)} s\n`);
}

/** Until Ctrl-C, which closes the lab. */
async function stayUp(network: StandingLab): Promise<never> {
  process.stdout.write("\nEverything stays up until Ctrl-C. To look around:\n");
  for (const [what, command] of network.lookAround()) process.stdout.write(`   # ${what}\n   ${command}\n`);
  return new Promise(() => setInterval(() => {}, 1 << 30));
}

try {
  if (!(await run(asked(process.argv.slice(2))))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

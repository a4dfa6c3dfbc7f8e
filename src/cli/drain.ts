/**
 * `sluice drain` and `sluice undrain`: moves traffic away from this node before work on it, and back afterwards.
 *
 * Draining marks the routes (graceful shutdown, RFC 8326), so that routers prefer other nodes while these routes still
 * work, and withdraws them when the grace time is over. It ends when no router has a route of ours any more, with
 * `--flows` when no flow is left either, and says on the way how far it is. A restart of the gateway ends the drain.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { DrainReport } from "../agent/status.ts";
import { ask, tell } from "../api/client.ts";

const LOOK_MILLISECONDS = 250;

interface DrainOptions {
  readonly socket: string;
  readonly graceSeconds: number;
  /** Waits for the flows as well. */
  readonly flows: boolean;
  readonly timeoutSeconds: number;
  readonly output: "table" | "json";
}

export function addDrainCommands(program: Command, defaultSocket: string, positive: (text: string) => number): void {
  const socket = ["--socket <path>", "unix socket of the running process", defaultSocket] as const;
  program
    .command("drain")
    .description("move traffic away from this node: mark its routes, then withdraw them")
    .option("--grace <seconds>", "how long routers may take to prefer other nodes", positive, 5)
    .option("--flows", "wait until no flow is left as well", false)
    .option("--timeout <seconds>", "give up waiting, not draining, after this long", positive, 300)
    .option(...socket)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .addHelpText("after", "\nExample:\n  sluice drain --grace 10 --flows --timeout 600 && systemctl stop sluice")
    .action(async ({ grace, timeout, ...flags }) => {
      const options = { ...flags, graceSeconds: grace, timeoutSeconds: timeout } as DrainOptions;
      await runDrain(options, (text) => void process.stdout.write(text));
    });
  program
    .command("undrain")
    .description("announce this node's routes again")
    .addHelpText("after", "\nExample:\n  sluice undrain")
    .option(...socket)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .action(async (flags) => {
      const report = await tell<DrainReport>(flags.socket, "/v1/undrain");
      const words = "the routes are announced again\n";
      process.stdout.write(flags.output === "json" ? `${JSON.stringify(report, null, 2)}\n` : words);
    });
}

export async function runDrain(options: DrainOptions, print: (text: string) => void): Promise<void> {
  const { socket, output } = options;
  const deadline = performance.now() + options.timeoutSeconds * 1000;
  let report = await tell<DrainReport>(socket, `/v1/drain?grace=${options.graceSeconds}`);
  let said = "";
  for (;;) {
    const line = drainLine(report);
    if (output !== "json" && line !== said) print(`${line}\n`);
    said = line;
    if (isDrained(report, options.flows)) break;
    if (performance.now() > deadline) throw new Error(`not drained after ${options.timeoutSeconds} s: ${line}`);
    await sleep(LOOK_MILLISECONDS);
    report = await ask<DrainReport>(socket, "/v1/drain");
  }
  if (output === "json") print(`${JSON.stringify(report, null, 2)}\n`);
}

function isDrained({ state, routesAnnounced, flows }: DrainReport, alsoFlows: boolean): boolean {
  return state === "withdrawn" && routesAnnounced === 0 && (!alsoFlows || flows === 0);
}

export function drainLine({ state, secondsLeft, routesAnnounced, sessions, flows }: DrainReport): string {
  const left = `${counted(routesAnnounced, "route")} over ${counted(sessions, "session")}, ${counted(flows, "flow")} left`;
  if (state === "serving") return `not draining: ${left}`;
  return state === "marked" ? `marked, withdrawn in ${secondsLeft} s: ${left}` : `withdrawn: ${left}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

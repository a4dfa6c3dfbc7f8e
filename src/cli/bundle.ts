/**
 * `sluice bundle`: what somebody who helps needs to see of a gateway, in one file of JSON: status, sessions, owners, policies,
 * the newest lines of the log, metrics, and the node's kernel. It has no secrets, for none of what it asks shows any; with
 * `--flows` it has addresses of clients.
 */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import type { Command } from "commander";
import { askOctets } from "../api/client.ts";

const PATHS = [
  "/v1/status",
  "/v1/fleet",
  "/v1/policies",
  "/v1/bgp/peers",
  "/v1/l2/owners",
  "/v1/drain",
  "/v1/timeline",
  "/metrics",
];
const FLOWS_PATH = "/v1/flows?limit=1000";

interface Bundle {
  readonly at: string;
  readonly kernel: string;
  readonly runtime: string;
  /** By path of the API; the sentence of the error where there was no answer. */
  readonly answers: Readonly<Record<string, unknown>>;
}

export function addBundleCommand(program: Command, defaultSocket: string): void {
  program
    .command("bundle")
    .description("gather what somebody who helps needs to see, without secrets, into one file")
    .option("-w, --write <file>", "the file; - is standard output", "-")
    .option("--flows", "the live flows as well, which name clients", false)
    .option("--socket <path>", "unix socket of the running process", defaultSocket)
    .addHelpText("after", "\nExample:\n  sluice bundle -w sluice-bundle.json")
    .action(async ({ write, flows, socket }) => {
      const text = `${JSON.stringify(await gather(socket, flows), null, 2)}\n`;
      if (write === "-") process.stdout.write(text);
      else writeFileSync(write, text, { mode: 0o600 });
    });
}

/** Part after part: one that is refused is told as such, and the others are there. */
export async function gather(socket: string, withFlows: boolean): Promise<Bundle> {
  const answers: Record<string, unknown> = {};
  for (const path of withFlows ? [...PATHS, FLOWS_PATH] : PATHS) {
    try {
      const text = (await askOctets(socket, path)).toString();
      answers[path] = path === "/metrics" ? text : JSON.parse(text);
    } catch (error) {
      answers[path] = { error: (error as Error).message };
    }
  }
  return { at: new Date().toISOString(), kernel: release(), runtime: process.version, answers };
}

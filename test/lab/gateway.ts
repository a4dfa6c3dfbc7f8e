/** The product itself, running inside a namespace: `bin/sluice run` and the commands that ask it. */
import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import type { GatewayStatus } from "../../src/agent/status.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import type { Exit, LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

export const SLUICE = join(import.meta.dirname, "..", "..", "bin", "sluice");

/** Where a gateway runs, and how. */
export interface GatewayPlace {
  readonly node: string;
  readonly uplink: string;
  /** `"stack"` or a second interface; left to the product's default when absent. */
  readonly inside?: string;
  readonly arguments?: readonly string[];
  /** Path of another build's `sluice`. */
  readonly program?: string;
}

export interface GatewayOptions extends GatewayPlace {
  /** A folder of manifests. */
  readonly configuration: string;
}

export interface ClusterGatewayOptions extends GatewayPlace {
  /** The words that name a cluster: `["--kubernetes", "--kubeconfig", FILE]`. */
  readonly cluster: readonly string[];
}

export class Gateway {
  readonly socket: string;
  readonly process: LabProcess;
  readonly #program: string;

  private constructor(socket: string, process: LabProcess, program: string) {
    this.socket = socket;
    this.process = process;
    this.#program = program;
  }

  /** The command line of a gateway, for starting one that is meant to fail. */
  static command(options: GatewayOptions | ClusterGatewayOptions, socket: string): string[] {
    const inside = options.inside === undefined ? [] : ["--inside", options.inside];
    const where = ["--node", options.node, "--uplink", options.uplink, ...inside, "--socket", socket];
    const source = "cluster" in options ? options.cluster : ["-f", options.configuration];
    return [options.program ?? SLUICE, "run", ...source, ...where, ...(options.arguments ?? [])];
  }

  /** Resolves when the gateway answers on its socket. */
  static async start(
    lab: Lab,
    namespace: Namespace,
    options: GatewayOptions | ClusterGatewayOptions,
  ): Promise<Gateway> {
    const socket = join(lab.folder, `${namespace.name}.sock`);
    const process = namespace.start("sluice", Gateway.command(options, socket));
    const gateway = new Gateway(socket, process, options.program ?? SLUICE);
    const answers = async () => process.exit() !== null || (await isServing(socket));
    const patience = { timeoutSeconds: 40, seen: () => process.log().slice(-2000) };
    await waitFor("sluice to answer on its socket", answers, patience);
    if (process.exit() !== null) throw new Error(`sluice run ended at once: ${process.log()}`);
    return gateway;
  }

  /** What a command prints for people: `ask("flows")`. */
  ask(...words: string[]): string {
    const { status, stdout, stderr } = ask([...words, "--socket", this.socket], "", this.#program);
    if (status !== 0) throw new Error(`sluice ${words.join(" ")} ended with ${status}: ${stderr.trim()}`);
    return stdout;
  }

  /** What the API answers at a path: the same as a command, without starting a program for it. */
  async read<Answer>(path: string): Promise<Answer> {
    return JSON.parse(await this.readText(path)) as Answer;
  }

  readText(path: string): Promise<string> {
    return readPath(this.socket, path);
  }

  /** The type is the product's own: a test that reads a field which is gone does not compile. */
  status(): GatewayStatus {
    return JSON.parse(this.ask("status", "-o", "json")) as GatewayStatus;
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    return this.process.stop(signal);
  }
}

/** Asked without starting a program: several gateways start at once, on few cores. */
function isServing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: "/v1/status", agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("error", () => resolve(false));
    asked.on("timeout", () => asked.destroy());
    asked.end();
  });
}

function readPath(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // A test blocks for seconds in the commands that it runs: a kept connection would be closed by then, and fail.
    const asked = request({ socketPath, path, agent: false, timeout: 5_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${path} was answered by ${response.statusCode}: ${text}`));
      });
    });
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error(`${path} was not answered within 5 s`)));
    asked.end();
  });
}

/** BGP messages in readable form, by `sluice bgp decode`. */
export function decodeBgp(messages: readonly Buffer[]): Record<string, unknown>[] {
  const input = messages.map((message) => `${message.toString("hex")}\n`).join("");
  const { status, stdout, stderr } = ask(["bgp", "decode", "--as4"], input);
  if (status !== 0) throw new Error(`sluice bgp decode ended with ${status}: ${stderr.trim()}`);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function ask(
  words: readonly string[],
  input = "",
  program = SLUICE,
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, words, { input, encoding: "utf8", timeout: 30_000 });
}

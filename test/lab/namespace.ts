/**
 * One network namespace of a lab, and what can be done inside it: set addresses and switches, run a command, start a
 * process. Commands enter by `nsenter --net`, not by `ip netns exec`: that remounts /sys and hides the BPF file system.
 */
import { spawn, spawnSync } from "node:child_process";
import { LabProcess, type StartOptions } from "./process.ts";

export interface RunResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutSeconds?: number;
}

export class Namespace {
  /** As `ip netns list` shows it. */
  readonly name: string;
  readonly #logs: string;
  readonly #started: LabProcess[] = [];

  constructor(name: string, logs: string) {
    this.name = name;
    this.#logs = logs;
  }

  /** The words that put a command into this namespace. */
  entered(command: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`, "--", ...command];
  }

  /** Runs a command to its end and throws with its own words when it fails. */
  run(command: readonly string[], options: RunOptions = {}): string {
    const { status, stdout, stderr } = this.try(command, options);
    if (status !== 0) {
      throw new Error(`${this.name}: "${command.join(" ")}" ended with ${status}: ${stderr.trim() || stdout.trim()}`);
    }
    return stdout;
  }

  /** Runs a command to its end, whatever that is. */
  try(command: readonly string[], { input = "", timeoutSeconds = 30 }: RunOptions = {}): RunResult {
    const [program, ...args] = this.entered(command);
    const options = { input, encoding: "utf8" as const, timeout: timeoutSeconds * 1000, maxBuffer: 1 << 28 };
    const { status, stdout, stderr, error } = spawnSync(program!, args, options);
    if (error !== undefined) throw new Error(`${this.name}: "${command.join(" ")}": ${error.message}`);
    return { status, stdout, stderr };
  }

  /** Like `try`, without blocking this process: for commands that run beside others. */
  async tryLater(command: readonly string[], { input = "", timeoutSeconds = 30 }: RunOptions = {}): Promise<RunResult> {
    const [program, ...args] = this.entered(command);
    const child = spawn(program!, args, { timeout: timeoutSeconds * 1000 });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
      });
    }
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve({ status, ...output }));
    });
  }

  /** Starts a process that runs until the lab closes or it is stopped. */
  start(name: string, command: readonly string[], options: StartOptions = {}): LabProcess {
    const log = `${this.#logs}/${this.name}-${name}-${this.#started.length}.log`;
    const started = new LabProcess(`${this.name}/${name}`, this.entered(command), log, options);
    this.#started.push(started);
    return started;
  }

  /** Lines for `ip -batch`: `"addr add 10.0.0.1/24 dev eth0"`. */
  ip(...lines: string[]): void {
    const { status, stderr } = spawnSync("ip", ["-n", this.name, "-batch", "-"], {
      input: `${lines.join("\n")}\n`,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${this.name}: ip ${lines.join("; ")}: ${stderr.trim()}`);
  }

  /** `sysctl("net.ipv4.ip_forward", 1)`. A slash stays inside a name: `net.ipv4.conf.eth0/1.rp_filter`. */
  sysctl(key: string, value: number | string): void {
    const file = `/proc/sys/${key.replaceAll("/", "\0").replaceAll(".", "/").replaceAll("\0", ".")}`;
    this.run(["sh", "-c", 'printf %s "$1" > "$2"', "sh", String(value), file]);
  }

  /** `offload("eth0", { tx: false })`: `tx` off makes this end finish its checksums before sending. */
  offload(device: string, features: Record<string, boolean>): void {
    const switches = Object.entries(features).flatMap(([name, on]) => [name, on ? "on" : "off"]);
    this.run(["ethtool", "-K", device, ...switches]);
  }

  processes(): readonly LabProcess[] {
    return this.#started;
  }
}

/**
 * A process that the lab started: its id, what it printed, and how it ended. Each is the leader of a session of its
 * own, so Ctrl-C reaches only the lab, which then ends its processes in order.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

export interface StartOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class LabProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended, however it did. */
  readonly exited: Promise<Exit>;
  readonly #log: string;
  #exit: Exit | null = null;

  /** Both output streams go to `logFile` directly, so nothing is lost when this process dies first. */
  constructor(name: string, command: readonly string[], logFile: string, { env, cwd }: StartOptions = {}) {
    this.name = name;
    this.#log = logFile;
    const log = openSync(logFile, "a");
    const [program, ...args] = command;
    const options = { detached: true, cwd, env: { ...process.env, ...env } };
    const child = spawn(program!, args, { ...options, stdio: ["ignore", log, log] });
    closeSync(log);
    this.exited = new Promise((resolve) => {
      child.once("error", () => resolve({ code: null, signal: null }));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    void this.exited.then((exit) => {
      this.#exit = exit;
    });
    if (child.pid === undefined) throw new Error(`${name}: could not start ${program}`);
    this.pid = child.pid;
  }

  /** Everything printed so far, standard output and error in the order written. */
  log(): string {
    return readFileSync(this.#log, "utf8");
  }

  /** `null` while it runs. */
  exit(): Exit | null {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === null) sendSignal(this.pid, signal);
  }

  /** Ends the process and waits until it is gone; SIGKILL after `timeoutSeconds`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutSeconds = 5): Promise<Exit> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), timeoutSeconds * 1000);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

/** Sends a signal to a process that may be gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A zombie counts as gone: its parent just has not looked yet. */
export function isAlive(pid: number): boolean {
  const state = processFields(pid)?.[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** When the process started, in clock ticks since boot: with the id it names one process for good. `null` if gone. */
export function startTime(pid: number): string | null {
  return processFields(pid)?.[19] ?? null;
}

/** Fields of /proc/PID/stat after the command's name, which may itself hold spaces and parentheses. */
function processFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

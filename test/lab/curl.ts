/** curl, run inside a namespace as a client would. */
import type { Namespace, RunOptions } from "./namespace.ts";

export interface CurlAnswer {
  /** curl's own exit code: 0 when an answer arrived, 7 refused, 28 timed out. */
  readonly exitCode: number | null;
  readonly body: string;
  /** curl's words when it failed. */
  readonly error: string;
}

/** One request on a connection of its own. */
export function curl(from: Namespace, url: string, { timeoutSeconds = 3 }: RunOptions = {}): CurlAnswer {
  const { status, stdout, stderr } = from.try(["curl", "-sS", "--max-time", `${timeoutSeconds}`, url]);
  return { exitCode: status, body: stdout.trim(), error: stderr.trim() };
}

/** `count` requests one after another, each on a connection of its own; the status codes in order, 0 for none. */
export async function curlMany(from: Namespace, url: string, count: number): Promise<number[]> {
  const output = ["-sS", "-o", "/dev/null", "-w", "%{http_code}\\n", "--max-time", "3", "-H", "Connection: close"];
  const command = ["curl", ...output, `${url}?[1-${count}]`];
  const { stdout } = await from.tryLater(command, { timeoutSeconds: 120 });
  return stdout.trim().split("\n").map(Number);
}

export interface TransferOptions extends RunOptions {
  /** How fast it may be, for one that is to last; as fast as it goes by default. */
  readonly megabytesPerSecond?: number;
}

function transfer({ timeoutSeconds = 60, megabytesPerSecond }: TransferOptions): string[] {
  const rate = megabytesPerSecond === undefined ? [] : ["--limit-rate", `${megabytesPerSecond}M`];
  return ["curl", "-sS", "--fail", "--max-time", `${timeoutSeconds}`, ...rate];
}

/** Downloads, and hashes what arrived inside the namespace; `null` unless all of it did. */
export async function downloadSha256(
  from: Namespace,
  url: string,
  options: TransferOptions = {},
): Promise<string | null> {
  const script = 'set -o pipefail; "$@" | sha256sum';
  const command = ["bash", "-c", script, "bash", ...transfer(options), url];
  const { status, stdout } = await from.tryLater(command, { timeoutSeconds: (options.timeoutSeconds ?? 60) + 10 });
  return status === 0 ? stdout.split(" ")[0]! : null;
}

/** Uploads a file; the pod answers with the hash of what it received. */
export async function uploadSha256(
  from: Namespace,
  url: string,
  file: string,
  options: TransferOptions = {},
): Promise<string | null> {
  const command = [...transfer(options), "-T", file, url];
  const { status, stdout } = await from.tryLater(command, { timeoutSeconds: (options.timeoutSeconds ?? 60) + 10 });
  return status === 0 ? stdout.trim() : null;
}

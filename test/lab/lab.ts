/**
 * A network of namespaces for one test or demo, and its complete removal.
 *
 *      new Lab("sle")                          all names begin with the prefix
 *        |
 *        |  namespace("client")                namespace("router")
 *        v                                     v
 *     +------------ sle-client --+  veth   +--- sle-router -----------+
 *     |  process   [ eth0 ]------|---------|----[ to-client ]  FRR    |
 *     +--------------------------+ connect +--------------------------+
 *        |
 *        v  close(): processes end, pins and namespaces go (and with them interfaces, BPF links), files go
 *
 * Nothing survives: `close` runs at the end, when this process exits for any reason it can notice, and on SIGINT,
 * SIGTERM and SIGHUP. What a killed run left behind is swept by the next lab with the same prefix. Removal does not
 * await anything, so that it also works from an exit handler.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Namespace } from "./namespace.ts";
import { isAlive, type LabProcess, sendSignal, startTime } from "./process.ts";

/** One end of a veth pair. */
export interface LinkEnd {
  readonly namespace: Namespace;
  readonly device: string;
  /** With prefix length: `10.1.1.2/24`. */
  readonly addresses?: readonly string[];
  readonly mac?: string;
  /** `{ tx: false }` as `ethtool -K` takes it. */
  readonly offload?: Record<string, boolean>;
  /** Receive and transmit queues. */
  readonly queues?: number;
}

const NAMESPACES = "/run/netns";
const OWNERS = "/run/sluice-lab";
const BPF_FILESYSTEM = "/sys/fs/bpf";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Lab {
  readonly prefix: string;
  /** A folder of this lab's own, removed with it. Readable by daemons that drop their privileges. */
  readonly folder: string;
  readonly #owner: string;
  readonly #namespaces: Namespace[] = [];
  readonly #ends: LinkEnd[] = [];
  readonly #closing: (() => void)[] = [];
  readonly #onExit = () => this.close();
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.close();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  #closed = false;

  constructor(prefix: string) {
    if (process.getuid?.() !== 0) throw new Error("network namespaces can only be made by root");
    this.prefix = prefix;
    this.#owner = join(OWNERS, prefix);
    this.#takeOwnership();
    this.folder = mkdtempSync(join(tmpdir(), `sluice-lab-${prefix}-`));
    writeFileSync(this.#owner, `${process.pid} ${startTime(process.pid)}\n${this.folder}\n`);
    chmodSync(this.folder, 0o755);
    sweep(prefix, []);
    process.once("exit", this.#onExit);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  namespace(name: string): Namespace {
    const full = `${this.prefix}-${name}`;
    command("ip", ["netns", "add", full]);
    const namespace = new Namespace(full, this.folder);
    this.#namespaces.push(namespace);
    namespace.ip("link set lo up");
    return namespace;
  }

  /** Ends what runs in a namespace and removes it, with its ends of links. */
  removeNamespace(namespace: Namespace): void {
    this.#namespaces.splice(this.#namespaces.indexOf(namespace), 1);
    for (const started of namespace.processes()) started.signal("SIGKILL");
    unpin(namespace.name);
    command("ip", ["netns", "del", namespace.name]);
  }

  /** A namespace made before, by its name without the prefix. */
  find(name: string): Namespace {
    const found = this.#namespaces.find((namespace) => namespace.name === `${this.prefix}-${name}`);
    if (found === undefined) throw new Error(`the lab has no namespace ${name}`);
    return found;
  }

  /** All that were started in its namespaces, those that have ended too. */
  processes(): readonly LabProcess[] {
    return this.#namespaces.flatMap((namespace) => namespace.processes());
  }

  /** Joins two namespaces by a veth pair, both ends up. */
  connect(a: LinkEnd, b: LinkEnd): void {
    const end = (link: LinkEnd) => {
      const queues = link.queues ?? 1;
      const mac = link.mac === undefined ? [] : ["address", link.mac];
      const counts = ["numrxqueues", `${queues}`, "numtxqueues", `${queues}`];
      return ["name", link.device, ...mac, ...counts, "netns", link.namespace.name];
    };
    command("ip", ["link", "add", ...end(a), "type", "veth", "peer", ...end(b)]);
    this.#ends.push(a, b);
    for (const { namespace, device, addresses = [], offload } of [a, b]) {
      if (offload !== undefined) namespace.offload(device, offload);
      namespace.ip(...addresses.map((address) => `addr add ${address} dev ${device}`), `link set ${device} up`);
    }
  }

  /** Gives every link made so far an MTU. */
  setMtu(mtu: number): void {
    for (const { namespace, device } of this.#ends) namespace.ip(`link set ${device} mtu ${mtu}`);
  }

  /** Something of the owner's own to undo when the lab closes, last added first. */
  onClose(undo: () => void): void {
    this.#closing.push(undo);
  }

  /** Removes everything. Safe to call twice, and from a signal or exit handler. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.removeListener("exit", this.#onExit);
    for (const undo of this.#closing.reverse()) undo();
    // Ours are named as well as found: one that was started just now may not have entered its namespace yet.
    const running = this.processes()
      .filter((process) => process.exit() === null)
      .map((process) => process.pid);
    sweep(this.prefix, running);
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.#owner, { force: true });
    // Until here a signal, a second one too, finds a listener, so that it can't end the process half way.
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
  }

  /** Two labs of one prefix would tear each other down, so the second is refused while the first one's process lives. */
  #takeOwnership(): void {
    mkdirSync(OWNERS, { recursive: true });
    let record: string;
    try {
      record = readFileSync(this.#owner, "utf8");
    } catch {
      return;
    }
    const [process, folder] = record.split("\n");
    const [pid, startedAt] = process!.split(" ");
    if (startTime(Number(pid)) === startedAt) {
      throw new Error(`a lab named "${this.prefix}" is already up (process ${pid}); end it first`);
    }
    if (folder?.startsWith(join(tmpdir(), "sluice-lab-"))) rmSync(folder, { recursive: true, force: true });
  }
}

/** Ends the processes named and every process inside the namespaces of a prefix, then removes the namespaces. */
function sweep(prefix: string, pids: readonly number[]): void {
  const names = namespacesOf(prefix);
  const inside = () => [...new Set([...pids, ...names.flatMap(pidsInside)])].filter(isAlive);
  for (const [signal, patienceMilliseconds] of [
    ["SIGTERM", 1500],
    ["SIGKILL", 2000],
  ] as const) {
    for (const pid of inside()) sendSignal(pid, signal);
    const deadline = performance.now() + patienceMilliseconds;
    while (inside().length > 0 && performance.now() < deadline) pause(10);
  }
  for (const name of names) {
    unpin(name);
    command("ip", ["netns", "del", name]);
  }
}

/** A gateway that had to be killed has left its programs and maps pinned, in a folder named after its namespace. */
function unpin(namespace: string): void {
  const owner = `-ns${statSync(join(NAMESPACES, namespace)).ino}`;
  for (const folder of pinned().filter((name) => name.endsWith(owner))) {
    rmSync(join(BPF_FILESYSTEM, folder), { recursive: true, force: true });
  }
}

function pinned(): string[] {
  try {
    return readdirSync(BPF_FILESYSTEM);
  } catch {
    return [];
  }
}

function namespacesOf(prefix: string): string[] {
  try {
    return readdirSync(NAMESPACES).filter((name) => name.startsWith(`${prefix}-`));
  } catch {
    return [];
  }
}

function pidsInside(namespace: string): number[] {
  const { stdout } = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
  return stdout.split("\n").filter(Boolean).map(Number);
}

function command(program: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${program} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}

/** Blocks this thread: an exit handler has no event loop to wait on. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

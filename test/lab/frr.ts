/**
 * A real FRR router (zebra and bgpd) inside a namespace. The daemons start with an empty configuration and the
 * integrated one is loaded through vtysh: a daemon given it directly stops at the first line that belongs to another.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const DAEMONS = "/usr/lib/frr";

export class Frr {
  readonly #namespace: Namespace;
  readonly #folder: string;
  readonly #config: string;
  readonly #more: readonly "bfdd"[];
  #daemons: LabProcess[] = [];

  /** @param more daemons beside zebra and bgpd. */
  constructor(lab: Lab, namespace: Namespace, config: string, more: readonly "bfdd"[] = []) {
    this.#namespace = namespace;
    this.#folder = `${lab.folder}/frr-${namespace.name}`;
    this.#config = config;
    this.#more = more;
  }

  /** Starts the daemons and loads the configuration; resolves when it is in force. */
  async start(): Promise<void> {
    if (!existsSync(`${DAEMONS}/bgpd`)) throw new Error("FRR is not installed (Debian package: frr)");
    // The daemons run as user frr and refuse a folder that is not theirs; as root they refuse to start at all.
    execute(["install", "-d", "-o", "frr", "-g", "frrvty", "-m", "775", this.#folder]);
    writeFileSync(`${this.#folder}/empty.conf`, "", { mode: 0o644 });
    writeFileSync(`${this.#folder}/frr.conf`, this.#config, { mode: 0o644 });
    for (const [daemon, socket] of [
      ["zebra", "zserv.api"],
      ...this.#more.map((name) => [name, `${name}.vty`] as const),
      ["bgpd", "bgpd.vty"],
    ] as const) {
      const started = this.#startDaemon(daemon);
      this.#daemons.push(started);
      await waitFor(`${daemon} to listen`, () => existsSync(`${this.#folder}/${socket}`), {
        seen: () => started.log(),
      });
    }
    execute(["vtysh", "--vty_socket", this.#folder, "-f", `${this.#folder}/frr.conf`]);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    for (const daemon of this.#daemons.reverse()) await daemon.stop(signal);
    this.#daemons = [];
    // Sockets of a killed daemon would make the next start believe that it already listens.
    execute(["rm", "-rf", this.#folder]);
  }

  /** The words of a vtysh command line, for people who want to look around. */
  vtyshCommand(command: string): string[] {
    return ["vtysh", "--vty_socket", this.#folder, "-c", command];
  }

  vtysh(...commands: string[]): string {
    return execute(["vtysh", "--vty_socket", this.#folder, ...commands.flatMap((command) => ["-c", command])]);
  }

  /** The answer to a `... json` command, shaped as FRR documents it. */
  vtyshJson<T>(command: string): T {
    return JSON.parse(this.vtysh(command)) as T;
  }

  /** Applies configuration lines, as typed after `configure terminal`. */
  configure(...lines: string[]): void {
    this.vtysh("configure terminal", ...lines);
  }

  /** Applies a file of configuration lines: for more than a command line holds. */
  load(file: string): void {
    execute(["vtysh", "--vty_socket", this.#folder, "-f", file]);
  }

  /** The process of a daemon. */
  pidOf(daemon: "bgpd" | "zebra"): number {
    return Number(readFileSync(`${this.#folder}/${daemon}.pid`, "utf8"));
  }

  /** State of the session with a neighbour, e.g. `Established`; `null` for one that is not configured. */
  sessionState(neighbor: string): string | null {
    type Summary = { ipv4Unicast?: { peers?: Record<string, { state: string }> } };
    return this.vtyshJson<Summary>("show bgp summary json").ipv4Unicast?.peers?.[neighbor]?.state ?? null;
  }

  /** Valid paths to a prefix in BGP: next hop and AS path of each. */
  paths(prefix: string): { nextHop: string; asPath: string }[] {
    type Rib = { paths?: { valid?: boolean; aspath: { string: string }; nexthops: { ip: string }[] }[] };
    const { paths = [] } = this.vtyshJson<Rib>(`show bgp ipv4 unicast ${prefix} json`);
    return paths
      .filter((path) => path.valid)
      .map((path) => ({ nextHop: path.nexthops[0]!.ip, asPath: path.aspath.string }));
  }

  /** Why the last NOTIFICATION ended the session, in FRR's words: `Cease/Administrative Shutdown`. */
  lastNotification(neighbor: string): string | null {
    type Neighbors = Record<string, { lastNotificationReason?: string }>;
    const neighbors = this.vtyshJson<Neighbors>(`show bgp neighbors ${neighbor} json`);
    return neighbors[neighbor]?.lastNotificationReason ?? null;
  }

  /** What bgpd wrote to its log. */
  log(): string {
    return readFileSync(`${this.#folder}/bgpd.log`, "utf8");
  }

  #startDaemon(daemon: string): LabProcess {
    const files = ["-f", "empty.conf", "-i", `${daemon}.pid`, "-z", "zserv.api"];
    const inFolder = files.map((word) => (word.startsWith("-") ? word : `${this.#folder}/${word}`));
    const identity = ["-u", "frr", "-g", "frr", "--vty_socket", this.#folder, "-A", "127.0.0.1", "-P", "0"];
    const log = ["--log", `file:${this.#folder}/${daemon}.log`];
    const control = daemon === "bfdd" ? ["--bfdctl", `${this.#folder}/bfdd.sock`] : [];
    return this.#namespace.start(daemon, [`${DAEMONS}/${daemon}`, ...identity, ...inFolder, ...log, ...control]);
  }
}

function execute([program, ...args]: string[]): string {
  const { status, stdout, stderr } = spawnSync(program!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${[program, ...args].join(" ")}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/**
 * A real FRR router and our node, each in its own network namespace:
 *
 *     router (slbrPID)                                   node (slbnPID)
 *     lo 192.168.1.1/32                                  the speaker runs here
 *     to_node 10.1.1.1/24 ---------- veth ---------- net0 10.1.1.2/24, default via 10.1.1.1
 *     FRR: zebra + bgpd, AS 65001
 *
 * As in the seed, the router peers from its loopback address, which is not on the node's subnet. `close()` ends every
 * process by its pid and removes the namespaces; it runs also when the test process is interrupted.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FRR = "/usr/lib/frr";
const LOOPBACK = "192.168.1.1";
export const NODE_ADDRESS = "10.1.1.2";
export const ROUTER_ADDRESS = LOOPBACK;

export interface FrrOptions {
  /** Lines inside `router bgp`. */
  readonly neighbor: readonly string[];
}

export const USUAL_NEIGHBOR: readonly string[] = [
  `neighbor ${NODE_ADDRESS} remote-as 65000`,
  `neighbor ${NODE_ADDRESS} update-source ${LOOPBACK}`,
  `neighbor ${NODE_ADDRESS} disable-connected-check`,
  `neighbor ${NODE_ADDRESS} timers connect 1`,
];

export class FrrLab {
  readonly router = `slbr${process.pid}`;
  readonly node = `slbn${process.pid}`;
  readonly #folder: string;
  #daemons: ChildProcess[] = [];
  readonly #onExit = () => this.close();

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "slb-"));
    chmodSync(this.#folder, 0o755);
    process.once("exit", this.#onExit);
  }

  static async open(options: FrrOptions): Promise<FrrLab> {
    const lab = new FrrLab();
    try {
      lab.#wire();
      await lab.startFrr(options);
    } catch (error) {
      lab.close();
      throw error;
    }
    return lab;
  }

  #wire(): void {
    for (const name of [this.router, this.node]) {
      ip("netns", "add", name);
      ip("-n", name, "link", "set", "lo", "up");
    }
    ip("link", "add", "net0", "netns", this.node, "type", "veth", "peer", "name", "to_node", "netns", this.router);
    ip("-n", this.router, "address", "add", `${LOOPBACK}/32`, "dev", "lo");
    ip("-n", this.router, "address", "add", "10.1.1.1/24", "dev", "to_node");
    ip("-n", this.router, "link", "set", "to_node", "up");
    ip("-n", this.node, "address", "add", `${NODE_ADDRESS}/24`, "dev", "net0");
    ip("-n", this.node, "link", "set", "net0", "up");
    ip("-n", this.node, "route", "add", "default", "via", "10.1.1.1");
  }

  async startFrr({ neighbor }: FrrOptions): Promise<void> {
    const folder = this.#folder;
    execFileSync("chown", ["frr:frrvty", folder]);
    writeFileSync(join(folder, "empty.conf"), "");
    await this.#daemon("zebra", join(folder, "zserv.api"));
    await this.#daemon("bgpd", join(folder, "bgpd.vty"));
    const configuration = [
      "router bgp 65001",
      `bgp router-id ${LOOPBACK}`,
      "no bgp ebgp-requires-policy",
      "no bgp network import-check",
      ...neighbor,
      "exit",
      "",
    ].join("\n");
    writeFileSync(join(folder, "router.conf"), configuration);
    execFileSync("vtysh", ["--vty_socket", folder, "-f", join(folder, "router.conf")], { stdio: "pipe" });
  }

  async #daemon(name: string, ready: string): Promise<void> {
    const folder = this.#folder;
    rmSync(ready, { force: true });
    const daemon = spawn(
      "nsenter",
      // biome-ignore format: one option beside its value
      [`--net=/run/netns/${this.router}`, join(FRR, name), "-u", "frr", "-g", "frr", "-f", join(folder, "empty.conf"),
        "-i", join(folder, `${name}.pid`), "-z", join(folder, "zserv.api"), "--vty_socket", folder, "-A", "127.0.0.1",
        "-P", "0", "--log", `file:${join(folder, `${name}.log`)}`],
      { stdio: "ignore" },
    );
    this.#daemons.push(daemon);
    await waitFor(`${name} of FRR listens`, () => existsSync(ready));
  }

  /** Ends FRR without a goodbye, as a crash would. */
  async killFrr(): Promise<void> {
    const daemons = this.#daemons;
    this.#daemons = [];
    const gone = daemons.map((daemon) => new Promise((resolve) => daemon.once("exit", resolve)));
    for (const daemon of daemons) daemon.kill("SIGKILL");
    await Promise.all(gone);
  }

  /** Makes the router deaf without closing anything: the link stays up, every packet is lost. */
  cutLink(cut: boolean): void {
    ip("-n", this.router, "link", "set", "to_node", cut ? "down" : "up");
  }

  vtysh(...commands: string[]): string {
    const folder = this.#folder;
    const parts = commands.flatMap((command) => ["-c", command]);
    return execFileSync("vtysh", ["--vty_socket", folder, ...parts], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  show<T>(command: string): T {
    return JSON.parse(this.vtysh(`show ${command} json`)) as T;
  }

  configure(...lines: string[]): void {
    this.vtysh("configure terminal", "router bgp 65001", ...lines);
  }

  kernelRoute(prefix: string): string {
    return ip("-n", this.router, "route", "show", prefix).trim();
  }

  close(): void {
    process.off("exit", this.#onExit);
    for (const daemon of this.#daemons) daemon.kill("SIGKILL");
    this.#daemons = [];
    for (const name of [this.router, this.node]) if (existsSync(`/run/netns/${name}`)) ip("netns", "delete", name);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function ip(...parts: string[]): string {
  return execFileSync("ip", parts, { encoding: "utf8" });
}

/** Asks again until `holds` does; errors meanwhile count as no. */
export async function waitFor(what: string, holds: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  let last = "";
  while (Date.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${seconds} s in vain: ${what}${last}`);
}

/** A real GoBGP router inside a namespace; it has no kernel routes, so its own table is looked at. */
import { rmSync, writeFileSync } from "node:fs";
import type { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

export interface GobgpPath {
  readonly nlri: { readonly prefix: string };
  readonly attrs: readonly { readonly type: number; readonly nexthop?: string; readonly value?: unknown }[];
  readonly stale?: boolean;
}

export class Gobgp {
  readonly #namespace: Namespace;
  readonly #folder: string;
  #process: LabProcess | null = null;

  constructor(lab: Lab, namespace: Namespace) {
    this.#namespace = namespace;
    this.#folder = lab.folder;
  }

  /** @param config YAML; words beside it are flags of gobgpd. */
  async start(config: string, ...flags: string[]): Promise<void> {
    await this.stop();
    writeFileSync(`${this.#folder}/gobgp.yaml`, config);
    const files = [
      "-f",
      `${this.#folder}/gobgp.yaml`,
      "-t",
      "yaml",
      "--api-hosts",
      `unix://${this.#folder}/gobgp.sock`,
    ];
    const started = this.#namespace.start("gobgpd", ["gobgpd", ...files, "--pprof-disable", ...flags]);
    this.#process = started;
    await waitFor("GoBGP to answer", () => this.ask("global"), { seen: () => started.log() });
  }

  ask(...words: string[]): string {
    return this.#namespace.run(["gobgp", "--target", `unix://${this.#folder}/gobgp.sock`, ...words]);
  }

  /** The paths of a family, by prefix. */
  rib(family: "ipv4" | "ipv6" = "ipv4"): Record<string, GobgpPath[]> {
    return JSON.parse(this.ask("global", "rib", "-a", family, "-j")) as Record<string, GobgpPath[]>;
  }

  /** An attribute of the only path to a prefix. */
  attribute(prefix: string, type: number): unknown {
    const attribute = this.rib()[prefix]?.[0]?.attrs.find((one) => one.type === type);
    return attribute?.value ?? attribute?.nexthop;
  }

  /** `SIGSTOP` makes it fall silent. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Everything that it has printed. */
  log(): string {
    return this.#process?.log() ?? "";
  }

  /** Ends it; a killed one leaves its socket behind, which the next would take for a running one. */
  async stop(): Promise<void> {
    await this.#process?.stop("SIGKILL");
    this.#process = null;
    rmSync(`${this.#folder}/gobgp.sock`, { force: true });
  }
}

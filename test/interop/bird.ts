/** A real BIRD router inside a namespace. */
import { writeFileSync } from "node:fs";
import type { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/** What every router here has: it installs what it learns by BGP. */
const HEAD = `
router id 192.168.1.1;
protocol device {}
protocol kernel k4 { ipv4 { import none; export filter { if source = RTS_BGP then accept; reject; }; }; merge paths on; }
protocol kernel k6 { ipv6 { import none; export filter { if source = RTS_BGP then accept; reject; }; }; merge paths on; }
`;

export class Bird {
  readonly #namespace: Namespace;
  /** Of its files, up to the ending. */
  readonly #path: string;
  readonly #head: string;
  #process: LabProcess | null = null;

  /** @param head of every configuration. */
  constructor(lab: Lab, namespace: Namespace, head = HEAD) {
    this.#namespace = namespace;
    this.#path = `${lab.folder}/bird-${namespace.name}`;
    this.#head = head;
  }

  /** Starts with this configuration, or goes over to it. */
  async configure(config: string): Promise<void> {
    writeFileSync(`${this.#path}.conf`, this.#head + config);
    if (this.#process === null) {
      const command = ["bird", "-f", "-c", `${this.#path}.conf`, "-s", `${this.#path}.ctl`];
      const started = this.#namespace.start("bird", [...command, "-P", `${this.#path}.pid`]);
      this.#process = started;
      await waitFor("BIRD to answer", () => this.ask("show status"), { seen: () => started.log() });
      return;
    }
    const answer = this.ask("configure");
    if (!/Reconfigured|Reconfiguration in progress/.test(answer)) throw new Error(`BIRD: ${answer}`);
  }

  /** The words of a birdc command line. */
  command(command: string): string[] {
    return ["birdc", "-s", `${this.#path}.ctl`, ...command.split(" ")];
  }

  /** A command to the control socket. */
  ask(command: string): string {
    return this.#namespace.run(this.command(command));
  }

  /** A command whose argument has blanks. */
  askWords(...words: string[]): string {
    return this.#namespace.run(["birdc", "-s", `${this.#path}.ctl`, ...words]);
  }

  /** All that BIRD knows of a route, with attributes. */
  route(prefix: string): string {
    return this.ask(`show route for ${prefix} all`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#process?.stop(signal);
    this.#process = null;
  }
}

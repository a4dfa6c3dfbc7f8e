/** A real ExaBGP inside a namespace; what it hears comes as lines of JSON. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { LabProcess } from "../lab/process.ts";

/** Shape of ExaBGP's API, as far as tests look at it. */
export interface ExabgpLine {
  readonly type: string;
  readonly neighbor?: {
    readonly state?: string;
    readonly message?: { readonly update?: unknown; readonly notification?: unknown };
    readonly open?: unknown;
    readonly notification?: unknown;
  };
}

const READER = `import sys, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
out = open(sys.argv[1], "a", buffering=1)
for line in iter(sys.stdin.readline, ""):
    out.write(line)
`;

export class Exabgp {
  readonly #namespace: Namespace;
  readonly #folder: string;
  #process: LabProcess | null = null;

  constructor(lab: Lab, namespace: Namespace) {
    this.#namespace = namespace;
    this.#folder = lab.folder;
  }

  /** @param neighbor what stands inside the `neighbor` block of the configuration. */
  async start(address: string, neighbor: string): Promise<void> {
    await this.stop();
    const { lines, reader } = { lines: `${this.#folder}/exabgp.json`, reader: `${this.#folder}/exabgp-reader.py` };
    writeFileSync(lines, "");
    writeFileSync(reader, READER);
    const api = "api { processes [ lines ]; receive { parsed; update; open; notification; } neighbor-changes; }";
    writeFileSync(
      `${this.#folder}/exabgp.conf`,
      `process lines { run /usr/bin/python3 ${reader} ${lines}; encoder json; }\nneighbor ${address} { ${neighbor} ${api} }\n`,
    );
    const env = {
      "exabgp.daemon.user": "root",
      "exabgp.daemon.drop": "false",
      "exabgp.log.destination": "stdout",
      "exabgp.api.cli": "false",
      "exabgp.api.ack": "false",
    };
    this.#process = this.#namespace.start("exabgp", ["exabgp", `${this.#folder}/exabgp.conf`], { env });
  }

  /** Everything heard so far. */
  lines(): ExabgpLine[] {
    const text = readFileSync(`${this.#folder}/exabgp.json`, "utf8").split("\n").filter(Boolean);
    return text.map((line) => JSON.parse(line) as ExabgpLine);
  }

  /** The updates so far, as one text. */
  updates(): string {
    return JSON.stringify(this.lines().flatMap((line) => line.neighbor?.message?.update ?? []));
  }

  log(): string {
    return this.#process?.log() ?? "";
  }

  async stop(): Promise<void> {
    await this.#process?.stop("SIGKILL");
    this.#process = null;
  }
}

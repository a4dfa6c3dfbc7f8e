/** A real ExaBGP inside a namespace; what it hears comes as lines of JSON. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
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

/** Writes down what it hears; a command to ExaBGP is a line appended to a second file. */
const READER = `import sys, signal, threading, time
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
out = open(sys.argv[1], "a", buffering=1)
def commands():
    seen = 0
    while True:
        lines = open(sys.argv[2]).read().split("\\n")[:-1]
        for line in lines[seen:]:
            sys.stdout.write(line + "\\n")
            sys.stdout.flush()
        seen = len(lines)
        time.sleep(0.05)
threading.Thread(target=commands, daemon=True).start()
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
  async start(address: string, neighbor: string, more: Record<string, string> = {}): Promise<void> {
    await this.stop();
    const { lines, reader } = { lines: `${this.#folder}/exabgp.json`, reader: `${this.#folder}/exabgp-reader.py` };
    writeFileSync(lines, "");
    writeFileSync(this.#commands, "");
    writeFileSync(reader, READER);
    const api = "api { processes [ lines ]; receive { parsed; update; open; notification; } neighbor-changes; }";
    writeFileSync(
      `${this.#folder}/exabgp.conf`,
      `process lines { run /usr/bin/python3 ${reader} ${lines} ${this.#commands}; encoder json; }\nneighbor ${address} { ${neighbor} ${api} }\n`,
    );
    const env = {
      "exabgp.daemon.user": "root",
      "exabgp.daemon.drop": "false",
      "exabgp.log.destination": "stdout",
      "exabgp.api.cli": "false",
      "exabgp.api.ack": "false",
      ...more,
    };
    this.#process = this.#namespace.start("exabgp", ["exabgp", `${this.#folder}/exabgp.conf`], { env });
  }

  get #commands(): string {
    return `${this.#folder}/exabgp.commands`;
  }

  /** A command of ExaBGP's API, such as `announce route 10.0.0.0/8 next-hop self`. */
  tell(command: string): void {
    appendFileSync(this.#commands, `${command}\n`);
  }

  /** `SIGSTOP` makes it fall silent. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
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

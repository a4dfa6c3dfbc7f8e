/** The receiver of all measurements: BIRD, which takes a full table in a quarter of a second. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Lab } from "../../test/lab/lab.ts";
import type { Namespace } from "../../test/lab/namespace.ts";
import { waitFor } from "../../test/lab/wait-for.ts";

export const SENDER = "10.2.0.1";
export const RECEIVER = "10.2.0.2";
const POLL_MILLISECONDS = 2;
const PATIENCE_SECONDS = 600;

export class Receiver {
  readonly namespace: Namespace;
  readonly senderNamespace: Namespace;
  readonly #control: string;
  readonly #config: string;
  #socket: Socket | null = null;

  constructor(lab: Lab) {
    this.namespace = lab.namespace("receiver");
    this.senderNamespace = lab.namespace("sender");
    lab.connect(
      { namespace: this.senderNamespace, device: "eth0", addresses: [`${SENDER}/24`] },
      { namespace: this.namespace, device: "eth0", addresses: [`${RECEIVER}/24`] },
    );
    this.#control = `${lab.folder}/receiver.ctl`;
    this.#config = `${lab.folder}/receiver.conf`;
  }

  async start(): Promise<void> {
    this.#write("");
    this.namespace.start("bird", ["bird", "-f", "-c", this.#config, "-s", this.#control]);
    await waitFor("BIRD to answer", () => spawnSync("birdc", ["-s", this.#control, "show", "status"]).status === 0);
    this.#socket = connect(this.#control);
    await this.#ask("restrict");
  }

  /** The moment when the session is up, by this process's clock. */
  async whenEstablished(): Promise<number> {
    return this.#until(async () => (await this.#ask("show protocols sender")).includes("Established"));
  }

  async whenRoutes(count: number): Promise<number> {
    return this.#until(async () => {
      const answer = await this.#ask("show route count protocol sender");
      return Number(/(\d+) of \d+ routes/.exec(answer)?.[1] ?? -1) === count;
    });
  }

  /** BIRD's own routes for the other direction, by way of a changed configuration. */
  announceMany(count: number): void {
    const lines = Array.from({ length: count }, (_, i) => `  route ${prefixOf(i, 60)} blackhole;`);
    this.#write(`protocol static many { ipv4;\n${lines.join("\n")}\n}\n`);
    spawnSync("birdc", ["-s", this.#control, "configure"]);
  }

  #write(statics: string): void {
    const timers = "hold time 90; connect retry time 1; connect delay time 0; error wait time 1,2;";
    const ends = `local ${RECEIVER} as 65001; neighbor ${SENDER} as 65000; passive on;`;
    writeFileSync(
      this.#config,
      `router id ${RECEIVER};\nprotocol device {}\n${statics}` +
        `protocol bgp sender { ${ends} ${timers} ipv4 { import all; export where source = RTS_STATIC; }; }\n`,
    );
  }

  async #until(holds: () => Promise<boolean>): Promise<number> {
    const deadline = performance.now() + PATIENCE_SECONDS * 1000;
    while (performance.now() < deadline) {
      if (await holds()) return performance.now();
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
    throw new Error("the receiver waited in vain");
  }

  /** One command on the control socket: it ends with a line that has a code and a blank. */
  #ask(command: string): Promise<string> {
    const socket = this.#socket!;
    return new Promise((resolve) => {
      let text = "";
      const take = (chunk: Buffer) => {
        text += chunk.toString();
        if (!/^(?!0001)\d{4} .*\n$/m.test(text) || !/(^|\n)\d{4} [^\n]*\n$/.test(text)) return;
        socket.off("data", take);
        resolve(text);
      };
      socket.on("data", take);
      socket.write(`${command}\n`);
    });
  }
}

/** The `i`th host route below `first`.0.0.0. */
export function prefixOf(i: number, first: number): string {
  return `${first + (i >>> 24)}.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}/32`;
}

/** A tcpdump running on one interface of a namespace. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { type CapturedFrame, readPcap, type TcpSegment, tcpSegment } from "./pcap.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

let captures = 0;

export class Capture {
  readonly file: string;
  readonly #tcpdump: LabProcess;

  private constructor(file: string, tcpdump: LabProcess) {
    this.file = file;
    this.#tcpdump = tcpdump;
  }

  /** Resolves when frames are being captured. `filter` is tcpdump's: `"tcp port 179"`. */
  static async start(lab: Lab, namespace: Namespace, device: string, filter: string): Promise<Capture> {
    const name = `tcpdump-${device}-${captures++}`;
    const file = `${lab.folder}/${namespace.name}-${name}.pcap`;
    // -U and immediate mode: a frame is in the file as soon as it was seen. -Z root: the folder is ours alone.
    // The usual buffer of 2 MB holds some thirty frames here, since each gets room for the largest there could be.
    const options = ["-i", device, "-n", "-p", "-U", "--immediate-mode", "-B", "32768", "-Z", "root", "-w", file];
    const tcpdump = namespace.start(name, ["tcpdump", ...options, filter]);
    await waitFor(`tcpdump on ${device}`, () => tcpdump.log().includes("listening on"), { seen: () => tcpdump.log() });
    return new Capture(file, tcpdump);
  }

  /** Frames captured so far. */
  frames(): CapturedFrame[] {
    return readPcap(readFileSync(this.file));
  }

  segments(): TcpSegment[] {
    return this.frames().flatMap((frame) => tcpSegment(frame) ?? []);
  }

  /** What tcpdump prints of it, a line for each frame. */
  text(...flags: string[]): string {
    return execFileSync("tcpdump", ["-nn", "-r", this.file, ...flags], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  }

  /** Ends the capture; what it holds stays readable until the lab closes. Throws when it is not all that passed. */
  async stop(): Promise<void> {
    await this.#tcpdump.stop("SIGINT");
    const dropped = /(\d+) packets? dropped by kernel/.exec(this.#tcpdump.log())?.[1];
    if (dropped !== "0") throw new Error(`${this.#tcpdump.name} missed frames: ${this.#tcpdump.log().trim()}`);
  }
}

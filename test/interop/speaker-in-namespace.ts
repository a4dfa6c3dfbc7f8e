/** Our speaker running in a network namespace, as a child process that a test talks to. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ReceivedRoute } from "../../src/bgp/adj-rib-in.ts";
import type { PeerStatus, RouteSpec, SpeakerSpec } from "../../src/bgp/speaker-spec.ts";
import type { Explanation } from "../../src/speaker/speaker-core.ts";
import type { SpeakerEvent } from "../../src/speaker/speaker-event.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { Command } from "./speaker-process.ts";

interface Line {
  readonly event?: SpeakerEvent;
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class SpeakerInNamespace {
  readonly events: SpeakerEvent[] = [];
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;

  /** @param restarting as after a crash: peers may still have our routes. */
  constructor(namespace: Namespace, restarting = false) {
    const program = fileURLToPath(new URL("./speaker-process.ts", import.meta.url));
    const [enter, ...words] = namespace.entered([process.execPath, program, ...(restarting ? ["--restarting"] : [])]);
    this.#process = spawn(enter!, words, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#process.stdout! }).on("line", (text) => this.#take(JSON.parse(text) as Line));
    this.#process.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the speaker's process ended"));
      this.#waiting.clear();
    });
  }

  async apply(spec: SpeakerSpec): Promise<void> {
    await this.#ask({ do: "apply", spec });
  }

  async status(): Promise<PeerStatus[]> {
    return (await this.#ask({ do: "status" })) as PeerStatus[];
  }

  async advertised(peerName: string): Promise<RouteSpec[]> {
    return (await this.#ask({ do: "advertised", peerName })) as RouteSpec[];
  }

  async received(peerName: string): Promise<ReceivedRoute[]> {
    return (await this.#ask({ do: "received", peerName })) as ReceivedRoute[];
  }

  async explain(prefix: string): Promise<Explanation[]> {
    return (await this.#ask({ do: "explain", prefix })) as Explanation[];
  }

  async refresh(peerName: string): Promise<void> {
    await this.#ask({ do: "refresh", peerName });
  }

  /** The capture file of a session. */
  async capture(peerName: string): Promise<Buffer> {
    return Buffer.from((await this.#ask({ do: "capture", peerName })) as string, "base64");
  }

  async block(milliseconds: number): Promise<void> {
    await this.#ask({ do: "block", milliseconds });
  }

  async stop(cease: boolean): Promise<void> {
    await this.#ask({ do: "stop", cease });
  }

  /** The process dies without a word. */
  async kill(): Promise<void> {
    if (this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await gone;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  #ask(command: Command): Promise<unknown> {
    if (this.#process.signalCode !== null) return Promise.reject(new Error("the speaker's process was killed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin!.write(`${JSON.stringify({ ...command, id })}\n`);
    });
  }

  #take(line: Line): void {
    if (line.event !== undefined) this.events.push(line.event);
    if (line.id === undefined) return;
    const waiting = this.#waiting.get(line.id);
    this.#waiting.delete(line.id);
    if (line.error === undefined) waiting?.resolve(line.value);
    else waiting?.reject(new Error(line.error));
  }
}

/**
 * A speaker in another process (`sidecar.ts`), with the face of `Speaker`. `start` connects, and connects again when the
 * other process was replaced; the declaration that was last in force is then given to it anew.
 */
import { connect, type Socket } from "node:net";
import type { DeclaredSpec } from "../bgp/declared-spec.ts";
import { LineReader, lineOf, parseLine } from "./sidecar-line.ts";
import { SpeakerCalls } from "./speaker-calls.ts";
import type { StopOptions } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest } from "./speaker-message.ts";

const RETRY_MILLISECONDS = 500;

export class RemoteSpeaker extends SpeakerCalls {
  readonly #path: string;
  #socket: Socket | null = null;
  #last: DeclaredSpec | null = null;
  #retry: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  /** Rejects when nobody serves the socket. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.#connect();
  }

  override async declare(spec: DeclaredSpec): Promise<void> {
    await super.declare(spec);
    this.#last = spec;
  }

  /** With Cease all sessions end; without it they go on in the other process. Safe to call twice. */
  async stop({ cease }: StopOptions): Promise<void> {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === null) return;
    if (cease) await this.call({ call: "stop", options: { cease } });
    this.#socket = null;
    socket.end();
  }

  protected override post(request: SpeakerRequest): Error | null {
    if (this.#socket === null) return new Error(`the speaker at ${this.#path} is not reachable`);
    this.#socket.write(lineOf(request));
    return null;
  }

  #connect(): Promise<void> {
    const socket = connect(this.#path);
    const reader = new LineReader();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => reader.push(text, (line) => this.take(parseLine(line) as SpeakerReply)));
    return new Promise((resolve, reject) => {
      socket.once("connect", () => {
        this.#socket = socket;
        resolve();
      });
      socket.once("error", (error: Error) => reject(new Error(`no speaker serves ${this.#path}: ${error.message}`)));
      socket.once("close", () => {
        const wasConnected = this.#socket === socket;
        if (wasConnected) this.#socket = null;
        this.fail(`the speaker at ${this.#path} has gone`);
        if (wasConnected && !this.#stopped) this.#connectLater();
      });
    });
  }

  #connectLater(): void {
    this.#retry = setTimeout(() => {
      this.#connect()
        .then(() => (this.#last === null ? undefined : super.declare(this.#last)))
        .catch(() => {
          if (!this.#stopped) this.#connectLater();
        });
    }, RETRY_MILLISECONDS);
  }
}

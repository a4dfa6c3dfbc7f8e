/**
 * A speaker in another process (`sidecar.ts`), with the face of `Speaker`. `start` connects, and connects again when the
 * other process was replaced; the declaration that was last in force is then given to it anew.
 */
import { connect, type Socket } from "node:net";
import type { DeclaredSpec } from "../bgp/declared-spec.ts";
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { LineReader, lineOf, parseLine } from "./sidecar-line.ts";
import { SpeakerCalls } from "./speaker-calls.ts";
import type { StopOptions } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest } from "./speaker-message.ts";
import { unknownStatuses } from "./unknown-status.ts";

const RETRY_MILLISECONDS = 500;

export class RemoteSpeaker extends SpeakerCalls {
  readonly #path: string;
  readonly #patienceMilliseconds: number;
  #socket: Socket | null = null;
  #last: DeclaredSpec | null = null;
  #retry: NodeJS.Timeout | null = null;
  #stopped = true;
  #unreachableSince = Date.now();

  /** @param patienceMilliseconds how long `start` waits for a process that may be starting as well. */
  constructor(path: string, patienceMilliseconds = 0) {
    super();
    this.#path = path;
    this.#patienceMilliseconds = patienceMilliseconds;
  }

  /** Rejects when nobody serves the socket. */
  async start(): Promise<void> {
    this.#stopped = false;
    const deadline = performance.now() + this.#patienceMilliseconds;
    for (;;) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (performance.now() + RETRY_MILLISECONDS > deadline) {
          this.#stopped = true;
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
      }
    }
  }

  /** While the other process is away there are no sessions to change: it is given the declaration when it is back. */
  override async declare(spec: DeclaredSpec): Promise<void> {
    const before = this.#last;
    this.#last = spec;
    try {
      if (this.#socket !== null || this.#stopped) await super.declare(spec);
    } catch (error) {
      if (this.#socket === null && !this.#stopped) return;
      this.#last = before;
      throw error;
    }
  }

  override async status(): Promise<PeerStatus[]> {
    if (this.#socket !== null || this.#stopped) return super.status();
    return unknownStatuses(this.#last, {
      lastError: `the speaker at ${this.#path} is not reachable`,
      downSinceMilliseconds: this.#unreachableSince,
      hint: "start `sluice speaker` with this socket; what it is to do is kept for it",
    });
  }

  /** With Cease all sessions end; without it they go on in the other process. Safe to call twice. */
  async stop({ cease }: StopOptions): Promise<void> {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === null) return;
    if (cease !== false) await this.call({ call: "stop", options: { cease } });
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
        if (wasConnected) {
          this.#socket = null;
          this.#unreachableSince = Date.now();
        }
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
          // A declaration that was refused is no reason to connect once more.
          if (!this.#stopped && this.#socket === null) this.#connectLater();
        });
    }, RETRY_MILLISECONDS);
  }
}

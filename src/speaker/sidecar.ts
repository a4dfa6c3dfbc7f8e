/**
 * A speaker in a process of its own, served on a unix socket: sessions and routes outlive the gateway, which may be
 * restarted or replaced without a router noticing.
 *
 * A client that leaves changes nothing. Each client gets every event; all may ask, and the last declaration counts.
 */
import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { LineReader, lineOf, parseLine } from "./sidecar-line.ts";
import { answerCall, messageOf } from "./speaker-answer.ts";
import type { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest } from "./speaker-message.ts";

export class Sidecar {
  readonly #speaker: SpeakerCore;
  readonly #clients = new Set<Socket>();
  #server: Server | null = null;

  constructor(speaker: SpeakerCore) {
    this.#speaker = speaker;
    speaker.onEvent((event) => {
      for (const client of this.#clients) send(client, { type: "event", event });
    });
  }

  /** Listens on a socket that only this user may open; one that a dead process left behind is replaced. */
  async listen(path: string): Promise<void> {
    if (existsSync(path)) {
      if (await answers(path)) throw new Error(`another speaker already serves ${path}`);
      unlinkSync(path);
    }
    const server = createServer((client) => this.#serve(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  }

  /** Leaves the sessions as they are: they belong to the speaker. */
  close(): void {
    for (const client of this.#clients) client.destroy();
    this.#server?.close();
  }

  #serve(client: Socket): void {
    this.#clients.add(client);
    const reader = new LineReader();
    client.setEncoding("utf8");
    client.on("error", () => {});
    client.on("close", () => this.#clients.delete(client));
    client.on("data", (text: string) => {
      try {
        reader.push(text, (line) => void this.#answer(client, parseLine(line) as SpeakerRequest));
      } catch {
        client.destroy();
      }
    });
  }

  async #answer(client: Socket, request: SpeakerRequest): Promise<void> {
    const { id } = request;
    try {
      // A client may end all sessions, not this process: the next declaration finds a speaker.
      send(client, { type: "answer", id, value: (await answerCall(this.#speaker, request)) ?? null });
    } catch (error) {
      send(client, { type: "failed", id, message: messageOf(error) });
    }
  }
}

function send(client: Socket, reply: SpeakerReply): void {
  client.write(lineOf(reply));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

/**
 * Where the other nodes ask this one: a TCP port of its own, on which a sealed question gets a sealed answer and everybody
 * else a refusal. It tells what the status page of another node shows, and changes nothing.
 *
 *   POST /v1/node   the question, sealed ("node")  ->  200, a `NodeReport`, sealed to it
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { NodeReport } from "./node-report.ts";
import { seal, unseal } from "./seal.ts";

export const FLEET_PATH = "/v1/node";
export const FLEET_QUESTION = "node";
const LONGEST_QUESTION_BYTES = 1024;
/** A question that was recorded may be asked again by anybody: it shall cost no more than looking up the last answer. */
const FRESH_MILLISECONDS = 500;
const NO_ANSWER = new Uint8Array();

export class FleetDoor {
  readonly #server: Server;
  readonly #key: Uint8Array;
  readonly #report: () => Promise<NodeReport>;
  #last: { readonly at: number; readonly report: Promise<NodeReport> } | null = null;

  constructor(key: Uint8Array, report: () => Promise<NodeReport>) {
    this.#key = key;
    this.#report = report;
    const limits = { headersTimeout: 2000, requestTimeout: 2000, keepAliveTimeout: 1000 };
    this.#server = createServer(limits, (request, response) => {
      this.#answer(request, response).catch(() => refuse(response, 503, "the gateway is still starting, or stopping"));
    });
    this.#server.maxConnections = 64;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause: NodeJS.ErrnoException) => {
        const why = cause.code === "EADDRINUSE" ? "something else listens there" : cause.message;
        reject(new Error(`--fleet ${port}: ${why}`, { cause }));
      });
      this.#server.listen(port, resolve);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST" || request.url !== FLEET_PATH) {
      return refuse(response, 404, `only POST ${FLEET_PATH} is here, for the other nodes`);
    }
    const question = await bodyOf(request);
    if (question === null) return refuse(response, 413, "a question is shorter");
    if (unseal(this.#key, question, NO_ANSWER) !== FLEET_QUESTION) {
      return refuse(response, 403, "only nodes with the same cluster secret are answered here");
    }
    const report = JSON.stringify(await this.#fresh());
    response.writeHead(200, { "content-type": "application/octet-stream" });
    response.end(seal(this.#key, report, question));
  }

  #fresh(): Promise<NodeReport> {
    const now = performance.now();
    if (this.#last === null || now - this.#last.at > FRESH_MILLISECONDS)
      this.#last = { at: now, report: this.#report() };
    return this.#last.report;
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > LONGEST_QUESTION_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function refuse(response: ServerResponse, status: number, words: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { "content-type": "text/plain", connection: "close" });
  response.end(`${words}\n`);
}

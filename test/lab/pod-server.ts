/**
 * The program inside a lab's pod: an HTTP server that answers with the pod's name and logs who asked.
 *
 *   pod-server.ts NAME ADDRESS PORT
 *   GET /      the pod's name           GET /20mb, /bytes/N   the deterministic body, of N bytes
 *   PUT /...   sha256 of what was sent  every answer closes its connection: one request, one flow
 *
 * Each request is one JSON line on standard output, with the client's address as the pod's kernel saw it.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { pipeline, Readable } from "node:stream";
import { deterministicBody, deterministicPieces, TWENTY_MEGABYTES } from "./deterministic-body.ts";

/** One line of a pod's log. */
export interface PodRequest {
  readonly client: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

const [name, address, port] = process.argv.slice(2);
let body: Buffer | null = null;

const server = createServer((request, response) => {
  const { remoteAddress, remotePort } = request.socket;
  const line = { client: remoteAddress, port: remotePort, method: request.method, path: request.url };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  response.setHeader("Connection", "close");
  if (request.method === "PUT") {
    const hash = createHash("sha256");
    request.on("data", (bytes: Buffer) => hash.update(bytes));
    request.on("end", () => response.end(`${hash.digest("hex")}\n`));
  } else if (request.url === "/20mb") {
    body ??= deterministicBody(TWENTY_MEGABYTES);
    response.end(body);
  } else if (request.url?.startsWith("/bytes/")) {
    const length = Number(request.url.slice("/bytes/".length));
    response.setHeader("Content-Length", length);
    pipeline(Readable.from(deterministicPieces(length)), response, () => {});
  } else {
    response.end(`${name}\n`);
  }
});

server.listen({ host: address, port: Number(port), backlog: 1024 }, () => process.stdout.write("ready\n"));

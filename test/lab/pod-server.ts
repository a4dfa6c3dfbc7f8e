/**
 * The program inside a lab's pod: an HTTP server that answers with the pod's name and logs who asked.
 *
 *   pod-server.ts NAME ADDRESS PORT
 *   GET /      the pod's name           GET /20mb   so many megabytes of the deterministic body
 *   PUT /...   sha256 of what was sent  every answer closes its connection: one request, one flow
 *
 * Each request is one JSON line on standard output, with the client's address as the pod's kernel saw it.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { pipeline, Readable } from "node:stream";
import { deterministicPieces } from "./deterministic-body.ts";

/** One line of a pod's log. */
export interface PodRequest {
  readonly client: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

const [name, address, port] = process.argv.slice(2);

const server = createServer((request, response) => {
  const { remoteAddress, remotePort } = request.socket;
  const line = { client: remoteAddress, port: remotePort, method: request.method, path: request.url };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  response.setHeader("Connection", "close");
  const megabytes = /^\/(\d{1,4})mb$/.exec(request.url ?? "")?.[1];
  if (request.method === "PUT") {
    const hash = createHash("sha256");
    request.on("data", (bytes: Buffer) => hash.update(bytes));
    request.on("end", () => response.end(`${hash.digest("hex")}\n`));
  } else if (megabytes !== undefined) {
    response.setHeader("Content-Length", Number(megabytes) * 1_000_000);
    pipeline(Readable.from(deterministicPieces(Number(megabytes) * 1_000_000)), response, () => {});
  } else {
    response.end(`${name}\n`);
  }
});

server.listen({ host: address, port: Number(port), backlog: 1024 }, () => process.stdout.write("ready\n"));

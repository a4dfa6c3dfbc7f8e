/**
 * Answers on the health check ports of Services as kube-proxy does, where nobody else does: 200 with an endpoint on this
 * node, else 503, and the counts as JSON. A port that is taken is left to who has it.
 */
import { createServer, type Server } from "node:http";
import type { Logger } from "pino";
import type { HealthCheck } from "../control/health-checks.ts";

export class HealthCheckPorts {
  readonly #log: Logger;
  readonly #servers = new Map<number, Server>();
  #checks: ReadonlyMap<number, HealthCheck> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  apply(checks: readonly HealthCheck[]): void {
    this.#checks = new Map(checks.map((check) => [check.port, check]));
    for (const [port, server] of this.#servers) {
      if (this.#checks.has(port)) continue;
      server.close();
      this.#servers.delete(port);
    }
    for (const port of this.#checks.keys()) if (!this.#servers.has(port)) this.#servers.set(port, this.#listen(port));
  }

  close(): void {
    this.apply([]);
  }

  #listen(port: number): Server {
    const server = createServer((_request, response) => {
      const check = this.#checks.get(port);
      const localEndpoints = check?.localEndpoints ?? 0;
      response.writeHead(localEndpoints > 0 ? 200 : 503, {
        "Content-Type": "application/json",
        "X-Load-Balancing-Endpoint-Weight": String(localEndpoints),
        // Whoever asks is to see the next state on the next connection.
        Connection: "close",
      });
      const service = { namespace: check?.namespace ?? "", name: check?.name ?? "" };
      response.end(`${JSON.stringify({ service, localEndpoints })}\n`);
    });
    server.on("error", (error: NodeJS.ErrnoException) => {
      const words = error.code === "EADDRINUSE" ? "somebody else answers there" : error.message;
      this.#log.warn({ port, why: words }, "a health check port is not served");
    });
    server.listen(port).unref();
    return server;
  }
}

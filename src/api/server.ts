/**
 * The API of the running process: HTTP on a unix socket, for the command line, and where asked on TCP addresses: one that
 * can read, one with metrics and probes alone. Only on the unix socket, which is root's, something can be changed.
 *
 *   GET /v1/status   GET /v1/services   GET /v1/policies   GET /v1/flows?limit=N   GET /v1/bgp/... (bgp-api.ts)
 *   GET /v1/l2/...   POST /v1/l2/move (l2-api.ts)
 *   GET /v1/fleet   POST /v1/plan?mode=apply|delete (plan-api.ts)
 *   GET /v1/explain/service?name=NAMESPACE/NAME
 *   GET /v1/explain/packet?source=A&sourcePort=N&destination=A&destinationPort=N&protocol=tcp|udp[&from=INTERFACE]
 *   GET /v1/monitor   GET /v1/capture (trace-api.ts)   GET /v1/timeline   GET /v1/watch (watch-api.ts)   GET / (page-files.ts)
 *   GET /metrics   GET /livez   GET /readyz
 *   GET /v1/drain   POST /v1/drain?grace=SECONDS   POST /v1/undrain
 */
import { chmodSync, existsSync, mkdirSync, unlinkSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import type { PlanTrial, TrialMode } from "../agent/plan-trial.ts";
import { readOptionFile } from "../config/file-fault.ts";
import { answerBgp, type BgpSource } from "./bgp-api.ts";
import { HttpGuard, type HttpSecrets, NO_SECRETS } from "./http-guard.ts";
import { answerL2, changeL2, type L2Source } from "./l2-api.ts";
import { answerPageFile, isPageFile } from "./page-files.ts";
import { answerPlan, PLAN_PATH } from "./plan-api.ts";
import { answerTrace, type FrameSource, showsFrames } from "./trace-api.ts";
import { Watchers, type WatchSource } from "./watch-api.ts";

/** What the API answers with; each function is called per request. */
export interface ApiSource {
  status(): Promise<unknown>;
  services(): Promise<unknown>;
  flows(limit: number): unknown;
  policies(): unknown;
  /** What manifests would change, which asking does not. */
  tryPlan(text: string, mode: TrialMode): Promise<PlanTrial>;
  bgp(): BgpSource;
  l2(): L2Source;
  frames(): FrameSource;
  readonly watch: WatchSource;
  /** `null` for a Service that does not exist. */
  explainService(name: string): unknown;
  explainPacket(packet: URLSearchParams): unknown;
  /** How far routers have been moved away from this node. */
  drainProgress(): Promise<unknown>;
  drain(graceSeconds: number): Promise<void>;
  undrain(): Promise<void>;
  metrics(): Promise<string>;
  ready(): boolean;
}

/** What a listener serves: metrics and probes, all that can be read, or changes as well. */
type Reach = "metrics" | "read" | "change";

const FOR_METRICS: readonly string[] = ["/metrics", "/livez", "/readyz"];
const DEFAULT_FLOWS = 1000;
/** Where anybody may ask who can reach it; a flow is some 300 bytes of JSON. */
const MOST_FLOWS_FOR_READERS = 10_000;
const LONGEST_GRACE_SECONDS = 3600;
const HIGHEST_PORT = 65_535;
/** Of listeners on TCP addresses: who holds connections and asks nothing shall not cost more than they. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 30_000 };
const MOST_CONNECTIONS = 256;

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else listens there: `ss -ltnp` tells what, or give another port",
  EADDRNOTAVAIL: "this node does not have the address",
  EACCES: "a port below 1024 takes the capability NET_BIND_SERVICE",
  ENOTFOUND: "the name has no address",
};

export class ApiServer {
  readonly #servers: Server[] = [];
  readonly #source: ApiSource;
  readonly #watchers: Watchers;

  constructor(source: ApiSource) {
    this.#source = source;
    this.#watchers = new Watchers(source.watch);
  }

  /** Listens on a unix socket that only root may use; a socket that a dead process left behind is replaced. */
  async listenUnix(path: string): Promise<void> {
    // Nobody else shall come to the socket in the moment before its mode is set.
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (existsSync(path)) {
      if (await answers(path)) {
        throw new Error(
          `another process already listens on ${path}: is Sluice running here? \`--socket\` names another one`,
        );
      }
      unlinkSync(path);
    }
    await this.#listen("change", (server, done) => server.listen(path, done));
    chmodSync(path, 0o600);
  }

  /** Reading only. @param address `host:port`. */
  listenTcp(address: string, secrets: HttpSecrets = NO_SECRETS): Promise<void> {
    return this.#listenAt("--http", address, "read", secrets);
  }

  /** Nothing but metrics and probes, for those who may not see who is connected to whom. @param address `host:port`. */
  listenForMetrics(address: string): Promise<void> {
    return this.#listenAt("--metrics", address, "metrics");
  }

  #listenAt(option: string, address: string, reach: Reach, secrets = NO_SECRETS): Promise<void> {
    const match = /^(.*):(\d{1,5})$/.exec(address);
    if (match === null || Number(match[2]) > HIGHEST_PORT) {
      throw new Error(`${option} ${address}: must be HOST:PORT, such as 127.0.0.1:9472`);
    }
    const host = match[1]!.replace(/^\[|\]$/g, "");
    return this.#listen(reach, (server, done) => server.listen(Number(match[2]), host, done), secrets).catch(
      (cause: NodeJS.ErrnoException) => {
        // What is wrong with a certificate has no address.
        if (cause.syscall === undefined) throw cause;
        throw new Error(`${option} ${address}: ${LISTEN_FAULTS[cause.code ?? ""] ?? cause.message}`, { cause });
      },
    );
  }

  async close(): Promise<void> {
    this.#watchers.close();
    await Promise.all(
      this.#servers.map((server) => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  #listen(
    reach: Reach,
    start: (server: Server, done: () => void) => void,
    { tokenFile, tls }: HttpSecrets = NO_SECRETS,
  ): Promise<void> {
    const guard = reach === "read" ? new HttpGuard(tokenFile) : null;
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const refusal = guard?.refusal(request) ?? null;
      if (refusal !== null) {
        if (refusal.status === 401) response.setHeader("www-authenticate", 'Basic realm="sluice"');
        return send(response, refusal.status, "application/json", JSON.stringify({ error: refusal.message }));
      }
      // Anything may stand there: what is no path is no reason to end.
      const url = URL.parse(request.url ?? "/", "http://sluice");
      if (url === null) return send(response, 400, "text/plain", "what is asked for is no path\n");
      const answered =
        request.method === "POST" && reach === "change" && url.pathname !== PLAN_PATH
          ? this.#change(url, response)
          : this.#answer(request, url, response, reach);
      answered.catch((error: Error) => {
        // Half an answer can't be taken back.
        if (response.headersSent) return response.destroy();
        return send(response, 500, "application/json", JSON.stringify({ error: error.message }));
      });
    };
    const server = serverOf(reach === "change" ? {} : LIMITS, tls, answer);
    if (reach !== "change") server.maxConnections = MOST_CONNECTIONS;
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      start(server, resolve);
    });
  }

  async #change(url: URL, response: ServerResponse): Promise<void> {
    if (url.pathname.startsWith("/v1/l2/") && (await changeL2(this.#source.l2(), url, response))) return;
    const grace = Number(url.searchParams.get("grace") ?? 0);
    if (url.pathname === "/v1/undrain") await this.#source.undrain();
    else if (url.pathname !== "/v1/drain") return send(response, 404, "text/plain", `there is no ${url.pathname}\n`);
    else if (!(grace >= 0 && grace <= LONGEST_GRACE_SECONDS)) {
      const error = `grace: seconds from 0 to ${LONGEST_GRACE_SECONDS} expected`;
      return send(response, 400, "application/json", JSON.stringify({ error }));
    } else await this.#source.drain(grace);
    return send(response, 200, "application/json", JSON.stringify(await this.#source.drainProgress()));
  }

  async #answer(request: IncomingMessage, url: URL, response: ServerResponse, reach: Reach): Promise<void> {
    if (request.method === "POST" && reach !== "metrics" && url.pathname === PLAN_PATH) {
      return answerPlan((text, mode) => this.#source.tryPlan(text, mode), url, request, response);
    }
    if (request.method !== "GET") return send(response, 405, "text/plain", "only GET is served here\n");
    if (reach === "metrics" && !FOR_METRICS.includes(url.pathname)) {
      return send(response, 404, "text/plain", `here are only ${FOR_METRICS.join(", ")}\n`);
    }
    const json = (value: unknown) => send(response, 200, "application/json", JSON.stringify(value));
    switch (url.pathname) {
      case "/v1/status":
        return json(await this.#source.status());
      case "/v1/services":
        return json(await this.#source.services());
      case "/v1/policies":
        return json(this.#source.policies());
      case "/v1/flows":
        return json(this.#source.flows(flowsAskedFor(url, reach)));
      case "/v1/fleet":
        return json(await this.#source.watch.fleet());
      case "/v1/drain":
        return json(await this.#source.drainProgress());
      case "/v1/explain/service":
        return json(await this.#source.explainService(url.searchParams.get("name") ?? ""));
      case "/v1/explain/packet":
        return json(this.#source.explainPacket(url.searchParams));
      case "/metrics":
        return send(response, 200, "text/plain; version=0.0.4", await this.#source.metrics());
      case "/livez":
        return send(response, 200, "text/plain", "ok\n");
      case "/readyz":
        return this.#source.ready()
          ? send(response, 200, "text/plain", "ok\n")
          : send(response, 503, "text/plain", "no configuration in force yet\n");
      case "/v1/timeline":
        return json(this.#source.watch.timeline.entries);
      case "/v1/watch":
        return this.#watchers.add(response);
      default:
        if (isPageFile(url)) return answerPageFile(url, response);
        if (url.pathname.startsWith("/v1/l2/") && (await answerL2(this.#source.l2(), url, response))) return;
        if (url.pathname.startsWith("/v1/bgp/") && (await answerBgp(this.#source.bgp(), url, response))) return;
        if (showsFrames(url)) return answerTrace(this.#source.frames(), url, request, response);
        return send(response, 404, "text/plain", `there is no ${url.pathname}\n`);
    }
  }
}

function serverOf(limits: ServerOptions, tls: HttpSecrets["tls"], answer: RequestListener): Server {
  if (tls === null) return createServer(limits, answer);
  const [cert, key] = [readOptionFile("--http-cert", tls.certificate), readOptionFile("--http-key", tls.key)];
  try {
    return createTlsServer({ ...limits, cert, key }, answer);
  } catch (cause) {
    const files = `--http-cert ${tls.certificate} --http-key ${tls.key}`;
    throw new Error(`${files}: a certificate and its key in PEM expected: ${(cause as Error).message}`, { cause });
  }
}

function flowsAskedFor({ searchParams }: URL, reach: Reach): number {
  const asked = Number(searchParams.get("limit") ?? DEFAULT_FLOWS) || DEFAULT_FLOWS;
  return reach === "change" ? asked : Math.min(asked, MOST_FLOWS_FOR_READERS);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type });
  response.end(body);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(path);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

/**
 * Plain requests to an API server: JSON in, JSON out, with the official client's authentication and TLS.
 *
 * Not its typed calls: their models rename fields (`default` becomes `_default`) and drop those that they don't know, and
 * what we pass on must be what the server said.
 */
import { HttpMethod, IsomorphicFetchHttpLibrary, RequestContext, Watch } from "@kubernetes/client-node";
import { KeptConnections } from "./kept-connections.ts";

/** A refusal by the API server, with its HTTP status. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A server that says nothing for longer is taken for gone. */
const REQUEST_TIMEOUT_MILLISECONDS = 10_000;
/** The server ends each watch after a time that it is told; one that is silent for longer has lost its connection. */
const WATCH_SILENCE_MILLISECONDS = 330_000;

export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

export class ApiConnection {
  readonly #config = new KeptConnections();
  readonly #http = new IsomorphicFetchHttpLibrary();
  /** Requests sent since the start, for people who pay for their API server. */
  requests = 0;

  /** `null` takes the service account of the pod, else what kubectl would take. */
  constructor(kubeconfig: string | null) {
    if (kubeconfig === null) this.#config.loadFromDefault();
    else this.#read(kubeconfig);
    if (this.server === "") throw new Error(`${kubeconfig ?? "kubeconfig"}: its current context names no cluster`);
  }

  #read(kubeconfig: string): void {
    try {
      this.#config.loadFromFile(kubeconfig);
    } catch (cause) {
      // What can't be opened says so, with its name.
      if ((cause as NodeJS.ErrnoException).syscall !== undefined) throw cause;
      const [why] = (cause as Error).message.split("\n");
      throw new Error(`${kubeconfig}: is no kubeconfig: ${why}`, { cause });
    }
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? "";
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#send(HttpMethod.GET, path, query, null, null) as Promise<T>;
  }

  create<T>(path: string, body: object): Promise<T> {
    return this.#send(HttpMethod.POST, path, {}, body, "application/json") as Promise<T>;
  }

  replace<T>(path: string, body: object): Promise<T> {
    return this.#send(HttpMethod.PUT, path, {}, body, "application/json") as Promise<T>;
  }

  /** A merge patch (RFC 7386); with `metadata.resourceVersion` in it the server refuses it (409) when the object moved. */
  patch<T>(path: string, body: object): Promise<T> {
    return this.#send(HttpMethod.PATCH, path, {}, body, "application/merge-patch+json") as Promise<T>;
  }

  remove(path: string): Promise<unknown> {
    return this.#send(HttpMethod.DELETE, path, {}, null, null);
  }

  /**
   * Follows changes from a resource version on, until the connection ends: by us, by the server, by a fault. Resolves
   * then; rejects when it could not begin.
   */
  watch(path: string, query: Query, signal: AbortSignal, onEvent: (event: WatchEvent) => void): Promise<void> {
    this.requests++;
    const watch = new Watch(this.#config);
    // The client has no option for it, and its own limit of 30 s would break every quiet watch twice a minute.
    Object.assign(watch, { requestTimeoutMs: WATCH_SILENCE_MILLISECONDS });
    return new Promise((resolve, reject) => {
      let controller: AbortController | null = null;
      const stop = () => controller?.abort();
      const done = (error: unknown) => {
        signal.removeEventListener("abort", stop);
        const status = (error as { statusCode?: number } | null)?.statusCode;
        if (status !== undefined) reject(new ApiError(status, `watch ${path}: ${(error as Error).message}`));
        else if (error === null || signal.aborted) resolve();
        else reject(error);
      };
      signal.addEventListener("abort", stop);
      watch
        .watch(path, { ...query }, (type: string, object: unknown) => onEvent({ type, object }), done)
        .then((made) => {
          controller = made;
          if (signal.aborted) made.abort();
        }, reject);
    });
  }

  async #send(
    method: HttpMethod,
    path: string,
    query: Query,
    body: object | null,
    contentType: string | null,
  ): Promise<unknown> {
    this.requests++;
    const url = new URL(this.server.replace(/\/$/, "") + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const request = new RequestContext(url.toString(), method);
    await this.#config.applySecurityAuthentication(request);
    request.setHeaderParam("Accept", "application/json");
    if (contentType !== null) request.setHeaderParam("Content-Type", contentType);
    if (body !== null) request.setBody(JSON.stringify(body));
    request.setSignal(AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS));
    const response = await this.#http.send(request).toPromise();
    if (response === undefined) throw new Error(`${method} ${path}: no answer`);
    const answer = await response.body.text();
    if (response.httpStatusCode >= 300) {
      throw new ApiError(response.httpStatusCode, `${method} ${path}: ${messageOf(answer)}`);
    }
    return answer === "" ? null : JSON.parse(answer);
  }
}

/** What a `Status` object says; else what there is. */
function messageOf(answer: string): string {
  try {
    return (JSON.parse(answer) as { message?: string }).message ?? answer.slice(0, 200);
  } catch {
    return answer.slice(0, 200);
  }
}

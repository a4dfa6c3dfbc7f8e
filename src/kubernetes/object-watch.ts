/**
 * Follows all objects of one kind: a list in pages, then a watch from there; when the watch ends it is resumed where it
 * was, and only when the server has forgotten that point (410 Gone) everything is listed again. What fails again and again
 * is tried ever more slowly; what was known stays known meanwhile.
 */
import { type ApiConnection, ApiError, type Query, type WatchEvent } from "./api-connection.ts";

export interface StoredObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

export interface WatchedKind {
  readonly kind: string;
  /** From the preferred one on; the first that the server has is used. */
  readonly apiVersions: readonly string[];
  readonly plural: string;
  /** Only in this namespace; `null` is everywhere. */
  readonly namespace: string | null;
  readonly fieldSelector: string | null;
  readonly labelSelector?: string;
}

export interface WatchSink {
  /** All objects that there are; what is not among them is gone. */
  replaceAll(kind: WatchedKind, objects: readonly StoredObject[]): void;
  put(kind: WatchedKind, object: StoredObject): void;
  remove(kind: WatchedKind, object: StoredObject): void;
  /** A sentence on what is wrong, or `null` when all is well again. */
  fault(kind: WatchedKind, message: string | null): void;
}

const PAGE = 500;
const WATCH_SECONDS = 300;
const FIRST_RETRY_MILLISECONDS = 200;
const LONGEST_RETRY_MILLISECONDS = 20_000;
/** A watch that lasted so long was none of a row of faults. */
const SOUND_WATCH_MILLISECONDS = 1000;
/** A kind that the server doesn't have may be installed at any time. */
const ABSENT_RETRY_MILLISECONDS = 5_000;

interface ListAnswer {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly StoredObject[];
}

export class ObjectWatch {
  readonly #api: ApiConnection;
  readonly #kind: WatchedKind;
  readonly #sink: WatchSink;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #apiVersion: string;
  #resourceVersion: string | null = null;
  #absences = 0;
  #wake: (() => void) | null = null;

  constructor(api: ApiConnection, kind: WatchedKind, sink: WatchSink) {
    this.#api = api;
    this.#kind = kind;
    this.#sink = sink;
    this.#apiVersion = kind.apiVersions[0]!;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let retry = FIRST_RETRY_MILLISECONDS;
    while (!this.#stop.signal.aborted) {
      let followsSince = Number.POSITIVE_INFINITY;
      try {
        if (this.#resourceVersion === null) await this.#list();
        this.#sink.fault(this.#kind, null);
        followsSince = performance.now();
        await this.#follow();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (error instanceof ApiError && error.status === 404) {
          await this.#absent();
          continue;
        }
        if (error instanceof ApiError && error.status === 410) this.#resourceVersion = null;
        else this.#sink.fault(this.#kind, error instanceof Error ? error.message : String(error));
      }
      if (performance.now() - followsSince > SOUND_WATCH_MILLISECONDS) retry = FIRST_RETRY_MILLISECONDS;
      // Jitter, so that the nodes of a cluster don't come back all at once.
      await this.#sleep(retry * (0.5 + Math.random()));
      retry = Math.min(retry * 2, LONGEST_RETRY_MILLISECONDS);
    }
  }

  /** The server doesn't have the kind in this version: another one, or none yet. */
  async #absent(): Promise<void> {
    const versions = this.#kind.apiVersions;
    this.#apiVersion = versions[(versions.indexOf(this.#apiVersion) + 1) % versions.length]!;
    this.#resourceVersion = null;
    if (++this.#absences % versions.length !== 0) return;
    this.#sink.replaceAll(this.#kind, []);
    this.#sink.fault(this.#kind, null);
    await this.#sleep(ABSENT_RETRY_MILLISECONDS * (0.8 + 0.4 * Math.random()));
  }

  async #list(): Promise<void> {
    const objects: StoredObject[] = [];
    let from: string | undefined;
    do {
      const query: Query = { limit: PAGE, continue: from, ...this.#selectors() };
      const page = await this.#api.get<ListAnswer>(this.#path(), query);
      objects.push(...page.items.map((item) => this.#whole(item)));
      from = page.metadata.continue || undefined;
      this.#resourceVersion = from === undefined ? page.metadata.resourceVersion : null;
    } while (from !== undefined);
    this.#sink.replaceAll(this.#kind, objects);
  }

  #selectors(): Query {
    const { fieldSelector, labelSelector } = this.#kind;
    return { fieldSelector: fieldSelector ?? undefined, labelSelector };
  }

  async #follow(): Promise<void> {
    let gone = false;
    const query: Query = {
      allowWatchBookmarks: true,
      // A kind of which nothing changes gets no bookmark either. Each its own time, so that they don't end together.
      timeoutSeconds: Math.round(WATCH_SECONDS * (0.8 + 0.2 * Math.random())),
      resourceVersion: this.#resourceVersion!,
      ...this.#selectors(),
    };
    await this.#api.watch(this.#path(), query, this.#stop.signal, (event) => {
      if (event.type === "ERROR") gone = true;
      else if (!gone) this.#take(event);
    });
    // Whatever the server complains of, a fresh list puts it right.
    if (gone) this.#resourceVersion = null;
  }

  #take({ type, object }: WatchEvent): void {
    const stored = object as StoredObject;
    this.#resourceVersion = stored.metadata.resourceVersion ?? this.#resourceVersion;
    if (type === "ADDED" || type === "MODIFIED") this.#sink.put(this.#kind, this.#whole(stored));
    else if (type === "DELETED") this.#sink.remove(this.#kind, stored);
  }

  /** The items of a list don't say what they are. */
  #whole(object: StoredObject): StoredObject {
    return { ...object, apiVersion: this.#apiVersion, kind: this.#kind.kind };
  }

  #path(): string {
    return resourcePath(this.#apiVersion, this.#kind.plural, this.#kind.namespace);
  }

  #sleep(milliseconds: number): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Where an API server keeps objects. */
export function resourcePath(apiVersion: string, plural: string, namespace: string | null, name?: string): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = namespace === null ? "" : `/namespaces/${namespace}`;
  return `${root}${place}/${plural}${name === undefined ? "" : `/${name}`}`;
}

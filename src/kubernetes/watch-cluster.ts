/**
 * Follows a cluster while the program runs: what files are to `config/`, an API server is here, by the same adapters.
 *
 * The first state is complete: every kind was listed, or the last known good state on disk stands in until that is so.
 */
import type { Problem } from "../intent/problem.ts";
import type { ApiConnection } from "./api-connection.ts";
import { ClusterState, type LoadedCluster } from "./cluster-state.ts";
import { LastKnownGood, readSavedCluster, type SavedCluster } from "./last-known-good.ts";
import { ObjectWatch, type StoredObject, type WatchedKind, type WatchSink } from "./object-watch.ts";
import { watchedKinds } from "./watched-kinds.ts";

interface ClusterWatchOptions {
  readonly secretsNamespaces: readonly string[];
  /** Where Sluice itself runs. */
  readonly ownNamespace: string;
  /** Where the last known good state is kept; `null` keeps none. */
  readonly stateFile: string | null;
  /** Called with each new state, the first one included. */
  readonly onChange: (loaded: LoadedCluster) => void;
}

/** Changes come in flocks (a rollout); this long nothing must happen before they count as one. */
const QUIET_MILLISECONDS = 10;
/** Under constant change they count after this long all the same. */
const PATIENCE_MILLISECONDS = 200;
/** The same while addresses are given by the thousand: each state that is told costs a forwarding table. */
const BULK_QUIET_MILLISECONDS = 300;
const BULK_PATIENCE_MILLISECONDS = 10_000;
/** How long the API server may take before the state on disk is used: one that fails, and one that is only slow. */
const GRACE_MILLISECONDS = 2_000;
const SLOW_GRACE_MILLISECONDS = 10_000;

export class ClusterWatch implements WatchSink {
  readonly #api: ApiConnection;
  readonly #options: ClusterWatchOptions;
  /** What the server said; until it has said everything, what the disk says stands beside it. */
  readonly #live = new ClusterState();
  readonly #kinds: readonly WatchedKind[];
  readonly #watches: ObjectWatch[];
  readonly #unlisted: Set<WatchedKind>;
  readonly #faults = new Map<WatchedKind, string>();
  readonly #disk: LastKnownGood | null;
  /** Set while many changes of our own are on their way. */
  inBulk = false;
  readonly #startedAt = performance.now();
  #quietTimer: NodeJS.Timeout | null = null;
  #firstChangeMilliseconds: number | null = null;
  #graceTimer: NodeJS.Timeout | null = null;

  constructor(api: ApiConnection, options: ClusterWatchOptions) {
    this.#api = api;
    this.#options = options;
    this.#kinds = watchedKinds(options.secretsNamespaces, options.ownNamespace);
    this.#unlisted = new Set(this.#kinds);
    const { stateFile } = options;
    this.#disk = stateFile === null ? null : new LastKnownGood(stateFile, () => this.#content());
    if (stateFile !== null) this.#graceTimer = setTimeout(() => this.#useSaved(stateFile), GRACE_MILLISECONDS);
    this.#watches = this.#kinds.map((kind) => new ObjectWatch(api, kind, this));
  }

  /** Everything was listed once. */
  get isSynced(): boolean {
    return this.#unlisted.size === 0;
  }

  /** What of the cluster can't be followed just now, in words. */
  get faults(): readonly string[] {
    return [...this.#faults].map(([{ kind }, message]) => `${kind}: ${message}`);
  }

  /** The objects as the server has them. */
  get state(): ClusterState {
    return this.#live;
  }

  async close(): Promise<void> {
    if (this.#quietTimer !== null) clearTimeout(this.#quietTimer);
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    await Promise.all(this.#watches.map((watch) => watch.close()));
    await this.#disk?.close();
  }

  replaceAll(kind: WatchedKind, objects: readonly StoredObject[]): void {
    const isFirst = this.#unlisted.delete(kind);
    if (this.#live.replaceAll(kind, objects) || isFirst) this.#changed();
  }

  put(kind: WatchedKind, object: StoredObject): void {
    if (this.#live.put(kind, object)) this.#changed();
  }

  remove(kind: WatchedKind, object: StoredObject): void {
    if (this.#live.remove(kind, object)) this.#changed();
  }

  fault(kind: WatchedKind, message: string | null): void {
    if (message === null) this.#faults.delete(kind);
    else this.#faults.set(kind, message);
    // One kind that we may not see must not keep us from the others.
    const isMinor = kind.kind === "Secret" || kind.labelSelector !== undefined;
    if (message !== null && isMinor && this.#unlisted.delete(kind)) this.#changed();
  }

  #changed(): void {
    if (!this.isSynced) return;
    const now = performance.now();
    this.#firstChangeMilliseconds ??= now;
    const longest = this.inBulk ? BULK_PATIENCE_MILLISECONDS : PATIENCE_MILLISECONDS;
    const quiet = this.inBulk ? BULK_QUIET_MILLISECONDS : QUIET_MILLISECONDS;
    const patience = this.#firstChangeMilliseconds + longest - now;
    if (this.#quietTimer !== null) clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => this.#publish(), Math.max(0, Math.min(quiet, patience)));
  }

  #publish(): void {
    this.#quietTimer = null;
    this.#firstChangeMilliseconds = null;
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#options.onChange(this.#live.current());
    this.#disk?.touch();
  }

  #useSaved(path: string): void {
    const waited = performance.now() - this.#startedAt;
    if (!this.isSynced && this.#faults.size === 0 && waited < SLOW_GRACE_MILLISECONDS) {
      this.#graceTimer = setTimeout(() => this.#useSaved(path), GRACE_MILLISECONDS);
      return;
    }
    this.#graceTimer = null;
    const saved = this.isSynced ? null : readSavedCluster(path);
    if (saved === null) return;
    const state = new ClusterState();
    for (const { kind, objects } of saved.kinds) state.replaceAll(kind, objects);
    const { intent, sources, problems } = state.current();
    const message = `does not answer (${this.faults[0] ?? "still waiting"}); the state of ${saved.savedAt} is in use`;
    const away: Problem = {
      severity: "warning",
      object: "",
      field: "",
      message,
      where: `API server ${this.#api.server}`,
    };
    this.#options.onChange({ intent, sources, problems: [away, ...problems] });
  }

  #content(): SavedCluster {
    return {
      version: 1,
      savedAt: new Date().toISOString(),
      server: this.#api.server,
      kinds: this.#kinds.map((kind) => ({ kind, objects: [...this.#live.objectsOf(kind)] })),
    };
  }
}

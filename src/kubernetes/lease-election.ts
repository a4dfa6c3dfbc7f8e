/**
 * One leader among the nodes, by a Lease: whoever wrote it last holds it until it has not been renewed for its duration, as
 * seen on the watcher's own monotonic clock. Clocks of different nodes are never compared, and a clock that jumps changes
 * nothing.
 *
 * Followers ask nothing of the API server: they watch. A leader that can't renew stops leading well before others start.
 */
import { type ApiConnection, ApiError } from "./api-connection.ts";
import { ObjectWatch, resourcePath, type StoredObject, type WatchedKind } from "./object-watch.ts";

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly durationMilliseconds: number;
  /** Not renewed for this long, a leader stops. */
  readonly renewDeadlineMilliseconds: number;
  readonly renewPeriodMilliseconds: number;
}

export const DEFAULT_LEASE_TIMES = {
  durationMilliseconds: 15_000,
  renewDeadlineMilliseconds: 10_000,
  renewPeriodMilliseconds: 5_000,
} as const;

interface LeaseObject extends StoredObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly renewTime?: string | null;
    readonly acquireTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

const API_VERSION = "coordination.k8s.io/v1";
const LOOK_MILLISECONDS = 500;

export class LeaseElection {
  readonly #api: ApiConnection;
  readonly #options: LeaseOptions;
  readonly #onChange: (leads: boolean) => void;
  readonly #watch: ObjectWatch;
  readonly #timer: NodeJS.Timeout;
  #lease: LeaseObject | null = null;
  #listed = false;
  /** When the lease was last seen to change. */
  #observedAt = 0;
  /** When our last renewal that succeeded was sent; `null` when we don't hold it. */
  #renewedAt: number | null = null;
  #nextRenewalAt = 0;
  #writing: Promise<void> | null = null;
  #wasGivenBack = false;
  #told = false;
  #closed = false;

  constructor(api: ApiConnection, options: LeaseOptions, onChange: (leads: boolean) => void) {
    this.#api = api;
    this.#options = options;
    this.#onChange = onChange;
    const kind: WatchedKind = {
      kind: "Lease",
      apiVersions: [API_VERSION],
      plural: "leases",
      namespace: options.namespace,
      fieldSelector: `metadata.name=${options.name}`,
    };
    this.#watch = new ObjectWatch(api, kind, {
      replaceAll: (_kind, [lease]) => {
        this.#listed = true;
        this.#see(lease ?? null);
      },
      put: (_kind, lease) => this.#see(lease),
      remove: () => this.#see(null),
      fault: () => undefined,
    });
    this.#timer = setInterval(() => this.#look(), Math.min(LOOK_MILLISECONDS, options.renewPeriodMilliseconds));
  }

  /** True as long as nobody else can have become the leader. */
  get leads(): boolean {
    return this.#renewedAt !== null && performance.now() < this.#renewedAt + this.#options.renewDeadlineMilliseconds;
  }

  /** The lease was given back by its holder, who finished what it had under way. */
  get wasGivenBack(): boolean {
    return this.#wasGivenBack;
  }

  /** Who holds the lease, as far as is known. */
  get holder(): string | null {
    return this.#lease?.spec?.holderIdentity || null;
  }

  /** Gives the lease back, so that another one can go on at once. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#writing;
    await this.#watch.close();
    const held = this.#renewedAt !== null ? this.#lease : null;
    this.#renewedAt = null;
    if (held !== null) {
      await this.#write(held, { holderIdentity: "", leaseDurationSeconds: 1 }).catch(() => undefined);
    }
  }

  #see(lease: StoredObject | null): void {
    const seen = lease as LeaseObject | null;
    if (seen?.metadata.resourceVersion === this.#lease?.metadata.resourceVersion && seen !== null) return;
    this.#lease = seen;
    this.#observedAt = performance.now();
    if (seen?.spec?.holderIdentity !== this.#options.identity) this.#renewedAt = null;
    this.#look();
  }

  #look(): void {
    if (this.#closed) return;
    this.#tell();
    const now = performance.now();
    if (this.#writing !== null || !this.#listed || now < this.#nextRenewalAt) return;
    const mine = this.#renewedAt !== null;
    const holder = this.holder;
    const expiresAt = this.#observedAt + this.#options.durationMilliseconds;
    // After a restart our own name in the lease means nothing: somebody of that name may still be running.
    if (!mine && holder !== null && now < expiresAt) return;
    this.#nextRenewalAt = now + this.#options.renewPeriodMilliseconds;
    this.#writing = this.#claim(mine)
      .catch((error: unknown) => {
        // Somebody was faster, or the server is away; the watch will tell.
        if (error instanceof ApiError && error.status === 409) this.#renewedAt = null;
      })
      .finally(() => {
        this.#writing = null;
        this.#tell();
      });
  }

  async #claim(mine: boolean): Promise<void> {
    const sentAt = performance.now();
    const { identity, durationMilliseconds } = this.#options;
    const time = new Date().toISOString().replace("Z", "000Z");
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMilliseconds / 1000),
      renewTime: time,
    };
    const before = this.#lease?.spec;
    const written =
      this.#lease === null
        ? await this.#create({ ...spec, acquireTime: time, leaseTransitions: 0 })
        : await this.#write(this.#lease, {
            ...before,
            ...spec,
            ...(mine ? {} : { acquireTime: time, leaseTransitions: (before?.leaseTransitions ?? 0) + 1 }),
          });
    if (!mine) this.#wasGivenBack = before?.holderIdentity === "";
    this.#lease = written;
    this.#observedAt = performance.now();
    this.#renewedAt = sentAt;
  }

  #create(spec: object): Promise<LeaseObject> {
    const { namespace, name } = this.#options;
    const lease = { apiVersion: API_VERSION, kind: "Lease", metadata: { name, namespace }, spec };
    return this.#api.create(resourcePath(API_VERSION, "leases", namespace), lease);
  }

  #write(lease: LeaseObject, spec: object): Promise<LeaseObject> {
    const { namespace, name } = this.#options;
    const { resourceVersion } = lease.metadata;
    const body = { apiVersion: API_VERSION, kind: "Lease", metadata: { name, namespace, resourceVersion }, spec };
    return this.#api.replace(resourcePath(API_VERSION, "leases", namespace, name), body);
  }

  #tell(): void {
    const { leads } = this;
    if (leads === this.#told) return;
    this.#told = leads;
    this.#onChange(leads);
  }
}

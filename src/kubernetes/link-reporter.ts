/**
 * What one node tells of addresses on links, as a record for people and for tools that look there: Cilium's Lease per
 * Service, with the owner as its holder, and MetalLB's `ServiceL2Status`. Nobody's decision depends on either, so they are
 * written when an owner has changed, slowly, and at rest not at all: a Lease of these is never renewed.
 */
import type { Plan } from "../control/plan.ts";
import type { ApiConnection } from "./api-connection.ts";
import { canonical } from "./node-config-writer.ts";
import { resourcePath, type StoredObject } from "./object-watch.ts";

const LOOK_MILLISECONDS = 10_000;
/** A look writes no more than this: after a takeover of hundreds of addresses the record may lag. */
const WRITES_PER_LOOK = 1;
/** The first change after a quiet time is written sooner. */
const MOST_SAVED_WRITES = 5;
const LEASE_VERSION = "coordination.k8s.io/v1";
const STATUS_VERSION = "metallb.io/v1beta1";
const LABEL = { "app.kubernetes.io/managed-by": "sluice" };

/** A Service of which this node owns an address. */
export interface OwnedService {
  readonly namespace: string;
  readonly name: string;
  readonly interfaces: readonly string[];
  /** Its first address: of several nodes that own some, one holds the Lease. */
  readonly isFirst: boolean;
}

interface LeaseObject extends StoredObject {
  readonly spec?: { readonly holderIdentity?: string; readonly leaseTransitions?: number };
}

interface StatusObject extends StoredObject {
  readonly metadata: StoredObject["metadata"] & { readonly labels?: Readonly<Record<string, string>> };
  readonly status?: object;
}

type Api = Pick<ApiConnection, "get" | "create" | "patch" | "remove">;

export class LinkReporter {
  readonly #api: Api;
  readonly #node: string;
  readonly #namespace: string;
  readonly #owned: () => Promise<readonly OwnedService[]>;
  readonly #now: () => Date;
  readonly #timer: NodeJS.Timeout;
  #plan: Plan | null = null;
  #leaseSeconds = 0;
  #working: Promise<void> | null = null;
  #saved = MOST_SAVED_WRITES;
  /** All of the kind by name; `null` until they were listed. Other nodes' may be older than what the server has. */
  #leases: Map<string, LeaseObject> | null = null;
  /** Those of this node by Service. */
  #statuses: Map<string, StatusObject> | null = null;

  constructor(parts: {
    readonly api: Api;
    readonly node: string;
    readonly namespace: string;
    readonly owned: () => Promise<readonly OwnedService[]>;
    readonly now?: () => Date;
  }) {
    this.#api = parts.api;
    this.#node = parts.node;
    this.#namespace = parts.namespace;
    this.#owned = parts.owned;
    this.#now = parts.now ?? (() => new Date());
    this.#timer = setInterval(() => void this.look(), LOOK_MILLISECONDS);
  }

  /** @param leaseMilliseconds for how long a Lease says that its holder has it. */
  planned(plan: Plan, leaseMilliseconds: number): void {
    this.#plan = plan;
    this.#leaseSeconds = Math.ceil(leaseMilliseconds / 1000);
  }

  /** Writes what differs, as far as the pace allows. A record is a courtesy: what fails is tried again. */
  look(): Promise<void> {
    this.#working ??= this.#report()
      .catch(() => {
        // What the server has is not what was remembered: it is listed anew.
        this.#leases = null;
        this.#statuses = null;
      })
      .finally(() => {
        this.#working = null;
      });
    return this.#working;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
  }

  async #report(): Promise<void> {
    const plan = this.#plan;
    if (plan === null) return;
    this.#saved = Math.min(this.#saved + WRITES_PER_LOOK, MOST_SAVED_WRITES);
    const owned = await this.#owned();
    const ofMetalLb = (one: OwnedService) => {
      const pool = plan.services[keyOf(one)]?.pool;
      return pool != null && plan.pools[pool]?.status !== undefined;
    };
    await this.#reportLeases(
      owned.filter((one) => one.isFirst && !ofMetalLb(one)),
      plan,
    );
    await this.#reportStatuses(owned.filter(ofMetalLb));
  }

  async #reportLeases(owned: readonly OwnedService[], plan: Plan): Promise<void> {
    if (this.#leases === null && owned.length === 0) return;
    this.#leases ??= await this.#listLeases();
    const names = new Set(Object.keys(plan.services).map((key) => leaseName(key.split("/")[0]!, key.split("/")[1]!)));
    for (const one of owned) {
      const name = leaseName(one.namespace, one.name);
      const known = this.#leases.get(name);
      if (known?.spec?.holderIdentity === this.#node || !this.#mayWrite()) continue;
      this.#leases.set(name, await this.#hold(name, known));
    }
    for (const [name, { spec }] of this.#leases) {
      // Of a Service that is gone; what another node owns now, that node writes.
      if (spec?.holderIdentity !== this.#node || names.has(name) || !this.#mayWrite()) continue;
      await this.#api.remove(this.#leasePath(name));
      this.#leases.delete(name);
    }
    this.#forgetOthers(owned);
  }

  async #hold(name: string, known: LeaseObject | undefined): Promise<LeaseObject> {
    const time = this.#now().toISOString().replace("Z", "000Z");
    const spec = {
      ...{ holderIdentity: this.#node, acquireTime: time, renewTime: time, leaseDurationSeconds: this.#leaseSeconds },
      leaseTransitions: known === undefined ? 0 : (known.spec?.leaseTransitions ?? 0) + 1,
    };
    if (known !== undefined) return this.#api.patch<LeaseObject>(this.#leasePath(name), { spec });
    const metadata = { name, namespace: this.#namespace, labels: LABEL };
    const object = { apiVersion: LEASE_VERSION, kind: "Lease", metadata, spec };
    return this.#api.create<LeaseObject>(this.#leasePath(), object);
  }

  /** A Lease that we no longer stand behind will have another holder: if it comes back to us, it is written again. */
  #forgetOthers(owned: readonly OwnedService[]): void {
    const own = new Set(owned.map(({ namespace, name }) => leaseName(namespace, name)));
    for (const [name, lease] of this.#leases!) {
      if (lease.spec?.holderIdentity === this.#node && !own.has(name)) {
        this.#leases!.set(name, { ...lease, spec: { ...lease.spec, holderIdentity: "" } });
      }
    }
  }

  async #listLeases(): Promise<Map<string, LeaseObject>> {
    const query = { labelSelector: "app.kubernetes.io/managed-by=sluice" };
    const { items } = await this.#api.get<{ items: LeaseObject[] }>(this.#leasePath(), query);
    const ours = items.filter(({ metadata }) => metadata.name.startsWith(LEASE_PREFIX));
    return new Map(ours.map((item) => [item.metadata.name, item]));
  }

  async #reportStatuses(owned: readonly OwnedService[]): Promise<void> {
    if (this.#statuses === null && owned.length === 0) return;
    this.#statuses ??= await this.#listStatuses();
    const keys = new Set(owned.map(keyOf));
    for (const [key, { metadata }] of this.#statuses) {
      if (keys.has(key) || !this.#mayWrite()) continue;
      await this.#api.remove(this.#statusPath(metadata.name));
      this.#statuses.delete(key);
    }
    for (const one of owned) {
      const status = {
        ...{ node: this.#node, serviceName: one.name, serviceNamespace: one.namespace },
        interfaces: one.interfaces.map((name) => ({ name })),
      };
      const known = this.#statuses.get(keyOf(one));
      if ((known !== undefined && canonical(known.status) === canonical(status)) || !this.#mayWrite()) continue;
      const object = known ?? (await this.#api.create<StatusObject>(this.#statusPath(), this.#newStatus(one)));
      this.#statuses.set(keyOf(one), object);
      const path = `${this.#statusPath(object.metadata.name)}/status`;
      this.#statuses.set(keyOf(one), await this.#api.patch<StatusObject>(path, { status }));
    }
  }

  #newStatus({ namespace, name }: OwnedService): object {
    const labels = {
      "metallb.io/node": this.#node,
      "metallb.io/service-name": name.slice(0, 63),
      "metallb.io/service-namespace": namespace,
    };
    return { apiVersion: STATUS_VERSION, kind: "ServiceL2Status", metadata: { generateName: "l2-", labels } };
  }

  async #listStatuses(): Promise<Map<string, StatusObject>> {
    const query = { labelSelector: `metallb.io/node=${this.#node}` };
    const { items } = await this.#api.get<{ items: StatusObject[] }>(this.#statusPath(), query);
    return new Map(
      items.map((item) => {
        const { "metallb.io/service-namespace": namespace, "metallb.io/service-name": name } =
          item.metadata.labels ?? {};
        return [`${namespace}/${name}`, item];
      }),
    );
  }

  #mayWrite(): boolean {
    if (this.#saved === 0) return false;
    this.#saved--;
    return true;
  }

  #leasePath(name?: string): string {
    return resourcePath(LEASE_VERSION, "leases", this.#namespace, name);
  }

  #statusPath(name?: string): string {
    return resourcePath(STATUS_VERSION, "servicel2statuses", this.#namespace, name);
  }
}

const LEASE_PREFIX = "cilium-l2announce-";

function leaseName(namespace: string, name: string): string {
  return `${LEASE_PREFIX}${namespace}-${name}`;
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

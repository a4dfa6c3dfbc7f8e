/**
 * The IPAM of the cluster, on whichever node leads: plans, and writes what Services get into their status.
 *
 * No address is given twice, whoever dies when:
 * - Every write carries the version of the Service that it is based on, so it fails when anybody was faster.
 * - One plan is written to its end before the next is made, on top of what the writes were answered. A write whose answer
 *   got lost is looked up before anything else happens.
 * - A new leader first reads all Services anew and then touches each that a predecessor who did not give the lease back could
 *   still be about to write (the fence): a write that was under way has then either happened, and is seen, or fails for its version.
 */
import type { Logger } from "pino";
import {
  FENCE_TYPE,
  type ServiceStatus,
  serviceStatusChange,
  wantedServiceStatuses,
} from "../control/object-status.ts";
import { type Plan, type PlanScope, plan } from "../control/plan.ts";
import { PlanMemory } from "../control/plan-memory.ts";
import { type ApiConnection, ApiError } from "./api-connection.ts";
import type { EventRecorder } from "./event-recorder.ts";
import type { LeaseElection } from "./lease-election.ts";
import type { NodeConfigWriter } from "./node-config-writer.ts";
import { resourcePath, type StoredObject, type WatchedKind } from "./object-watch.ts";
import type { PoolStatusWriter } from "./pool-status-writer.ts";
import type { ClusterWatch } from "./watch-cluster.ts";

export interface ServiceObject extends StoredObject {
  readonly status?: ServiceStatus;
}

const SERVICE_KIND: WatchedKind = {
  kind: "Service",
  apiVersions: ["v1"],
  plural: "services",
  namespace: null,
  fieldSelector: null,
};

/** Writes at once; a cluster that starts has thousands. */
const WRITERS = 32;
/** More writes than this are told in larger steps. */
const BULK = 100;
const RETRY_MILLISECONDS = 1_000;
/** What nodes are told is planned by each for itself; no node has this name. */
const ADDRESSES_ONLY: PlanScope = { nodeName: "", givesAddresses: true };

export class AddressAllocator {
  readonly #api: ApiConnection;
  readonly #cluster: ClusterWatch;
  readonly #election: Pick<LeaseElection, "leads" | "wasGivenBack">;
  readonly #pools: PoolStatusWriter;
  readonly #nodeConfigs: NodeConfigWriter;
  readonly #events: EventRecorder;
  readonly #identity: string;
  readonly #log: Logger;
  readonly #memory = new PlanMemory();
  #isFenced = false;
  #isDirty = false;
  #running: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(parts: {
    readonly api: ApiConnection;
    readonly cluster: ClusterWatch;
    readonly election: Pick<LeaseElection, "leads" | "wasGivenBack">;
    readonly pools: PoolStatusWriter;
    readonly nodeConfigs: NodeConfigWriter;
    readonly events: EventRecorder;
    readonly identity: string;
    readonly log: Logger;
  }) {
    this.#api = parts.api;
    this.#cluster = parts.cluster;
    this.#election = parts.election;
    this.#pools = parts.pools;
    this.#nodeConfigs = parts.nodeConfigs;
    this.#events = parts.events;
    this.#identity = parts.identity;
    this.#log = parts.log;
  }

  /** Something changed: the cluster, or who leads. */
  poke(): void {
    if (!this.#election.leads) this.#isFenced = false;
    if (this.#closed || !this.#election.leads || !this.#cluster.isSynced) return;
    this.#isDirty = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isDirty && !this.#closed && this.#election.leads) {
      this.#isDirty = false;
      try {
        if (!this.#isFenced) await this.#fence();
        await this.#allocate();
      } catch (error) {
        this.#log.warn({ err: error }, "addresses could not be written; trying again");
        this.#again();
      }
    }
  }

  #again(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.poke();
    }, RETRY_MILLISECONDS);
  }

  async #fence(): Promise<void> {
    const list = await this.#api.get<{ items: StoredObject[] }>(resourcePath("v1", "services", null));
    const names = new Set<string>();
    for (const item of list.items) {
      names.add(`${item.metadata.namespace}/${item.metadata.name}`);
      this.#cluster.put(SERVICE_KIND, { ...item, apiVersion: "v1", kind: "Service" });
    }
    // Who gave the lease back has nothing under way any more.
    const open = this.#election.wasGivenBack ? [] : this.#changes().filter(({ service }) => names.has(keyOf(service)));
    await this.#each(open, async ({ service }) => {
      const message = `the leader is ${this.#identity}`;
      const fence = {
        type: FENCE_TYPE,
        status: "Unknown",
        reason: "LeaderChanged",
        message,
        lastTransitionTime: new Date().toISOString(),
      };
      const others = (service.status?.conditions ?? []).filter(({ type }) => type !== FENCE_TYPE);
      await this.#write(service, {
        ...service.status,
        conditions: [...others, fence] as ServiceStatus["conditions"] & {},
      });
    });
    this.#isFenced = true;
    this.#log.info({ services: list.items.length, touched: open.length }, "leading the allocation of addresses");
  }

  async #allocate(): Promise<void> {
    const planned = this.#plan();
    const changes = this.#changes(planned);
    await this.#each(changes, ({ service, status }) => this.#write(service, status));
    for (const [key, { events }] of Object.entries(planned.services)) {
      for (const event of events) this.#events.record(this.#cluster.state.object("Service", key), event);
    }
    if (changes.length > 0) this.#log.info({ services: changes.length }, "addresses written");
    await this.#pools.write(planned);
    await this.#nodeConfigs.write(this.#cluster.state.current().intent);
  }

  #plan(): Plan {
    return plan(this.#cluster.state.current().intent, ADDRESSES_ONLY, this.#memory);
  }

  #changes(planned: Plan = this.#plan()): { service: ServiceObject; status: ServiceStatus }[] {
    const { intent } = this.#cluster.state.current();
    const wanted = wantedServiceStatuses(intent, planned);
    const typeNone = new Set(intent.services.filter((one) => !one.wantsLoadBalancer).map(keyOfIntent));
    const now = new Date().toISOString().replace(/\.\d+/, "");
    const changes: { service: ServiceObject; status: ServiceStatus }[] = [];
    for (const object of this.#cluster.state.objects("Service")) {
      const service = object as ServiceObject;
      const key = keyOf(service);
      const want = wanted.get(key) ?? null;
      if (want === null && !typeNone.has(key)) continue;
      const status = serviceStatusChange(service.status ?? {}, want, now);
      if (status !== null) changes.push({ service, status });
    }
    return changes;
  }

  /** Fails with the last fault after all were tried; those that another writer outran come again by the watch. */
  async #each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    let next = 0;
    this.#cluster.inBulk = items.length > BULK;
    let fault: unknown = null;
    const worker = async () => {
      for (let item = items[next++]; item !== undefined; item = items[next++]) {
        if (!this.#election.leads || this.#closed) throw new Error("no longer the leader");
        await work(item).catch((error: unknown) => {
          fault = error;
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(WRITERS, items.length) }, worker));
    } finally {
      this.#cluster.inBulk = false;
    }
    if (fault !== null) throw fault;
  }

  async #write(service: ServiceObject, status: ServiceStatus): Promise<void> {
    const { namespace, name, resourceVersion } = service.metadata;
    const path = `${resourcePath("v1", "services", namespace!, name)}`;
    try {
      const answer = await this.#api.patch<StoredObject>(`${path}/status`, { metadata: { resourceVersion }, status });
      this.#cluster.put(SERVICE_KIND, { ...answer, apiVersion: "v1", kind: "Service" });
    } catch (error) {
      await this.#lookUp(service, path);
      throw error;
    }
  }

  /** What became of a write that failed or whose answer is lost: until that is known, nothing else may be given. */
  async #lookUp(service: ServiceObject, path: string): Promise<void> {
    for (;;) {
      try {
        const found = await this.#api.get<StoredObject>(path);
        this.#cluster.put(SERVICE_KIND, { ...found, apiVersion: "v1", kind: "Service" });
        return;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) {
          this.#cluster.remove(SERVICE_KIND, service);
          return;
        }
        // Without the lead there is nothing to give, and the next leader looks for itself.
        if (!this.#election.leads || this.#closed) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
      }
    }
  }
}

function keyOf({ metadata: { namespace, name } }: StoredObject): string {
  return `${namespace}/${name}`;
}

function keyOfIntent({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

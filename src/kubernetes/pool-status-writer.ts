/** Writes the status of pools and of Cilium's BGP objects, where it differs. */
import { mergeConditions, type TimedCondition } from "../control/object-status.ts";
import type { Plan, PoolPlan } from "../control/plan.ts";
import type { Condition } from "../ipam/condition.ts";
import { PLURALS } from "../manifests/custom-resource-definitions.ts";
import type { ApiConnection } from "./api-connection.ts";
import { resourcePath, type StoredObject } from "./object-watch.ts";
import type { ClusterWatch } from "./watch-cluster.ts";

interface ObjectWithStatus extends StoredObject {
  readonly status?: Readonly<Record<string, unknown>> & { readonly conditions?: readonly TimedCondition[] };
}

export class PoolStatusWriter {
  readonly #api: ApiConnection;
  readonly #cluster: ClusterWatch;

  constructor(api: ApiConnection, cluster: ClusterWatch) {
    this.#api = api;
    this.#cluster = cluster;
  }

  async write({ pools, objects }: Plan): Promise<void> {
    for (const pool of this.#cluster.state.objects("CiliumLoadBalancerIPPool")) {
      await this.#conditions(pool, pools[pool.metadata.name]?.conditions ?? []);
    }
    for (const pool of this.#cluster.state.objects("IPAddressPool")) {
      const planned = pools[`IPAddressPool/${pool.metadata.name}`] ?? pools[pool.metadata.name];
      if (planned !== undefined) await this.#counts(pool, planned);
    }
    for (const [name, { conditions }] of Object.entries(objects)) {
      const [kind, object] = name.split("/") as [string, string];
      const found = this.#cluster.state.object(kind, object);
      if (found !== null) await this.#conditions(found, conditions);
    }
  }

  async #conditions(object: ObjectWithStatus, wanted: readonly Condition[]): Promise<void> {
    const current = object.status?.conditions ?? [];
    const now = new Date().toISOString().replace(/\.\d+/, "");
    const types = new Set(wanted.map(({ type }) => type));
    const merged = mergeConditions(current, wanted, ({ type }) => types.has(type), now);
    if (merged !== current) await this.#patch(object, { conditions: merged });
  }

  async #counts(object: ObjectWithStatus, { status }: PoolPlan): Promise<void> {
    const current = object.status ?? {};
    const isSame = Object.entries(status ?? {}).every(([key, value]) => current[key] === value);
    if (status !== undefined && !isSame) await this.#patch(object, status);
  }

  async #patch(object: StoredObject, status: object): Promise<void> {
    const { namespace, name, resourceVersion } = object.metadata;
    const path = resourcePath(object.apiVersion!, PLURALS.get(object.kind!)!, namespace ?? null, name);
    // One that was changed or removed meanwhile comes again by the watch.
    await this.#api.patch(`${path}/status`, { metadata: { resourceVersion }, status }).catch(() => undefined);
  }
}

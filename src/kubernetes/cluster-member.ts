/** One process's part in a cluster: it follows everything, stands for the allocation of addresses, and tells of changes. */
import type { Logger } from "pino";
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import type { Plan } from "../control/plan.ts";
import type { Settings } from "../intent/settings.ts";
import { AddressAllocator } from "./address-allocator.ts";
import { ApiConnection } from "./api-connection.ts";
import type { LoadedCluster } from "./cluster-state.ts";
import { EventRecorder } from "./event-recorder.ts";
import { DEFAULT_LEASE_TIMES, LeaseElection, type LeaseOptions } from "./lease-election.ts";
import { LinkReporter, type OwnedService } from "./link-reporter.ts";
import { NodeConfigWriter } from "./node-config-writer.ts";
import { NodeReporter } from "./node-reporter.ts";
import { PoolStatusWriter } from "./pool-status-writer.ts";
import { ClusterWatch } from "./watch-cluster.ts";

export interface ClusterOptions {
  /** `null` takes the pod's service account, else what kubectl would take. */
  readonly kubeconfig: string | null;
  /** Where the Lease is, and the Secrets that MetalLB's sessions name. */
  readonly namespace: string;
  /** The name of the node, unique among the processes of the cluster. */
  readonly identity: string;
  readonly stateFile: string | null;
  /** False leaves the giving of addresses to somebody else. */
  readonly ipam: boolean;
  readonly leaseTimes?: Pick<
    LeaseOptions,
    "durationMilliseconds" | "renewDeadlineMilliseconds" | "renewPeriodMilliseconds"
  >;
}

export interface ClusterStatus {
  readonly leader: string | null;
  readonly leads: boolean;
  readonly faults: readonly string[];
  /** Sent to the API server since the start. */
  readonly requests: number;
}

export class ClusterMember {
  readonly api: ApiConnection;
  readonly watch: ClusterWatch;
  readonly #election: LeaseElection | null;
  readonly #allocator: AddressAllocator | null;
  readonly #reporter: NodeReporter | null;
  readonly #linkReporter: LinkReporter | null;

  /** `sessions` are those of this node's speaker, `owned` the Services whose addresses it answers for; `null` for none. */
  constructor(
    options: ClusterOptions,
    log: Logger,
    onChange: (loaded: LoadedCluster) => void,
    sessions: (() => Promise<readonly PeerStatus[]>) | null = null,
    owned: (() => Promise<readonly OwnedService[]>) | null = null,
  ) {
    this.api = new ApiConnection(options.kubeconfig);
    this.watch = new ClusterWatch(this.api, {
      secretsNamespaces: [...new Set(["kube-system", options.namespace])],
      ownNamespace: options.namespace,
      stateFile: options.stateFile,
      onChange: (loaded) => {
        onChange(options.ipam ? loaded : withoutIpam(loaded));
        this.#allocator?.poke();
      },
    });
    const { namespace, identity } = options;
    const { api, watch: cluster } = this;
    this.#reporter = sessions === null ? null : new NodeReporter({ api, cluster, node: identity, namespace, sessions });
    this.#linkReporter = owned === null ? null : new LinkReporter({ api, node: identity, namespace, owned });
    if (!options.ipam) {
      this.#election = null;
      this.#allocator = null;
      return;
    }
    const lease = { namespace, name: "sluice-ipam", identity, ...(options.leaseTimes ?? DEFAULT_LEASE_TIMES) };
    this.#election = new LeaseElection(this.api, lease, (leads) => {
      log.info({ leads, holder: this.#election?.holder }, "allocation of addresses");
      this.#allocator?.poke();
    });
    this.#allocator = new AddressAllocator({
      api: this.api,
      cluster: this.watch,
      election: this.#election,
      pools: new PoolStatusWriter(this.api, this.watch),
      nodeConfigs: new NodeConfigWriter(this.api, this.watch),
      events: new EventRecorder(this.api, "sluice-ipam", identity),
      identity,
      log,
    });
  }

  /** What this node does from now on, so that it can tell. */
  planned(plan: Plan, { l2Lease }: Settings): void {
    this.#reporter?.planned(plan);
    this.#linkReporter?.planned(plan, l2Lease.durationMilliseconds);
  }

  /** Who gives the addresses, and what can't be followed just now. */
  get status(): ClusterStatus {
    return {
      leader: this.#election?.holder ?? null,
      leads: this.#election?.leads ?? false,
      faults: this.watch.faults,
      requests: this.api.requests,
    };
  }

  async close(): Promise<void> {
    await this.#reporter?.close();
    await this.#linkReporter?.close();
    await this.#allocator?.close();
    await this.#election?.close();
    await this.watch.close();
  }
}

/** Addresses come from somebody else, whatever pools there are. */
function withoutIpam(loaded: LoadedCluster): LoadedCluster {
  const settings = { ...loaded.intent.settings, defaultServiceIpam: "none" as const };
  return { ...loaded, intent: { ...loaded.intent, settings } };
}

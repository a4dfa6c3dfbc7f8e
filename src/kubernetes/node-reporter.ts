/**
 * What one node tells of itself, each node for itself: its sessions in the status of its `CiliumBGPNodeConfig`, and for
 * Services of MetalLB's pools a `ServiceBGPStatus` each; and whether it understands the configuration. Written when it
 * differs, so at rest nothing is.
 */
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import type { Plan } from "../control/plan.ts";
import { type ServiceBgpStatus, serviceBgpStatuses } from "../control/service-bgp-status.ts";
import type { ApiConnection } from "./api-connection.ts";
import { ConfigurationReporter } from "./configuration-reporter.ts";
import { canonical } from "./node-config-writer.ts";
import { resourcePath, type StoredObject } from "./object-watch.ts";
import type { ClusterWatch } from "./watch-cluster.ts";

const LOOK_MILLISECONDS = 5_000;
const STATUS_VERSION = "metallb.io/v1beta1";

interface NodeConfig extends StoredObject {
  readonly spec: {
    readonly bgpInstances: readonly {
      readonly name: string;
      readonly localASN?: number;
      readonly peers?: readonly { readonly name: string }[];
    }[];
  };
  readonly status?: { readonly bgpInstances?: readonly object[] };
}

interface StatusObject extends StoredObject {
  readonly status?: ServiceBgpStatus;
}

export class NodeReporter {
  readonly #api: ApiConnection;
  readonly #cluster: ClusterWatch;
  readonly #node: string;
  readonly #namespace: string;
  readonly #sessions: () => Promise<readonly PeerStatus[]>;
  readonly #timer: NodeJS.Timeout;
  /** Those of this node by Service; `null` until they were listed. */
  #statuses: Map<string, StatusObject> | null = null;
  #plan: Plan | null = null;
  /** The plan whose Services were told last. */
  #told: Plan | null = null;
  readonly #configuration: ConfigurationReporter;
  #working: Promise<void> | null = null;

  constructor(parts: {
    readonly api: ApiConnection;
    readonly cluster: ClusterWatch;
    readonly node: string;
    readonly namespace: string;
    readonly sessions: () => Promise<readonly PeerStatus[]>;
  }) {
    this.#api = parts.api;
    this.#cluster = parts.cluster;
    this.#node = parts.node;
    this.#namespace = parts.namespace;
    this.#sessions = parts.sessions;
    this.#configuration = new ConfigurationReporter(parts.api, parts.cluster, parts.node, parts.namespace);
    this.#timer = setInterval(() => this.#look(), LOOK_MILLISECONDS);
  }

  /** What this node does now. */
  planned(plan: Plan): void {
    this.#plan = plan;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
  }

  #look(): void {
    if (!this.#cluster.isSynced) return;
    // A report is a courtesy; the next look tries again.
    this.#working ??= Promise.allSettled([this.#reportSessions(), this.#reportServices(), this.#configuration.report()])
      .then(() => undefined)
      .finally(() => {
        this.#working = null;
      });
  }

  async #reportSessions(): Promise<void> {
    const config = this.#cluster.state.object("CiliumBGPNodeConfig", this.#node) as NodeConfig | null;
    if (config === null) return;
    const sessions = await this.#sessions();
    const bgpInstances = config.spec.bgpInstances.map(({ name, localASN, peers = [] }) => ({
      name,
      localASN,
      peers: peers.flatMap((peer) => {
        const session = sessions.find((one) => one.name === peer.name && one.localAsn === localASN);
        return session === undefined ? [] : [peerStatus(session)];
      }),
    }));
    if (canonical(config.status?.bgpInstances ?? []) === canonical(bgpInstances)) return;
    const path = resourcePath(config.apiVersion!, "ciliumbgpnodeconfigs", null, this.#node);
    await this.#api.patch(`${path}/status`, { status: { bgpInstances } });
  }

  async #reportServices(): Promise<void> {
    const plan = this.#plan;
    if (plan === null || plan === this.#told) return;
    const wanted = serviceBgpStatuses(plan).filter(({ node, serviceName, serviceNamespace }) => {
      const pool = plan.services[`${serviceNamespace}/${serviceName}`]?.pool;
      return node === this.#node && pool != null && plan.pools[pool]?.status !== undefined;
    });
    if (this.#statuses === null && wanted.length === 0) return;
    this.#statuses ??= await this.#list();
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { metadata }] of this.#statuses) {
      if (keys.has(key)) continue;
      await this.#api.remove(this.#path(metadata.name));
      this.#statuses.delete(key);
    }
    for (const status of wanted) await this.#put(status);
    this.#told = plan;
  }

  async #put(status: ServiceBgpStatus): Promise<void> {
    const known = this.#statuses!.get(keyOf(status));
    if (known !== undefined && canonical(known.status) === canonical(status)) return;
    const object =
      known ??
      (await this.#api.create<StatusObject>(this.#path(), {
        apiVersion: STATUS_VERSION,
        kind: "ServiceBGPStatus",
        metadata: {
          generateName: "bgp-",
          labels: {
            "metallb.io/node": this.#node,
            "metallb.io/service-name": status.serviceName.slice(0, 63),
            "metallb.io/service-namespace": status.serviceNamespace,
          },
        },
      }));
    this.#statuses!.set(keyOf(status), object);
    const written = await this.#api.patch<StatusObject>(`${this.#path(object.metadata.name)}/status`, { status });
    this.#statuses!.set(keyOf(status), written);
  }

  async #list(): Promise<Map<string, StatusObject>> {
    const query = { labelSelector: `metallb.io/node=${this.#node}` };
    const { items } = await this.#api.get<{ items: StatusObject[] }>(this.#path(), query);
    return new Map(items.map((item) => [item.status === undefined ? item.metadata.name : keyOf(item.status), item]));
  }

  #path(name?: string): string {
    return resourcePath(STATUS_VERSION, "servicebgpstatuses", this.#namespace, name);
  }
}

function keyOf({ serviceNamespace, serviceName }: ServiceBgpStatus): string {
  return `${serviceNamespace}/${serviceName}`;
}

/** In the words of Cilium's status. */
function peerStatus(session: PeerStatus): object {
  const isUp = session.establishedAtMilliseconds !== null;
  return {
    name: session.name,
    peerAddress: session.address,
    peerASN: session.asn,
    peeringState: session.state.toLowerCase(),
    ...(isUp
      ? {
          establishedTime: new Date(session.establishedAtMilliseconds!).toISOString().replace(/\.\d+/, ""),
          timers: {
            appliedHoldTimeSeconds: session.holdTimeSeconds ?? 0,
            appliedKeepaliveSeconds: Math.floor((session.holdTimeSeconds ?? 0) / 3),
          },
        }
      : {}),
    routeCount: [
      { afi: "ipv4", safi: "unicast", received: session.routesReceived, advertised: session.routesAdvertised },
    ],
  };
}

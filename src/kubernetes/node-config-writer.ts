/**
 * Writes a `CiliumBGPNodeConfig` for every node on which a cluster configuration holds: what it means there, overrides
 * included, for people and tools that read it. The owner reference lets the API server remove it with its origin.
 */
import { policiesOnNode } from "../control/bgp-on-node.ts";
import type { Intent } from "../intent/intent.ts";
import type { ApiConnection } from "./api-connection.ts";
import { resourcePath, type StoredObject } from "./object-watch.ts";
import type { ClusterWatch } from "./watch-cluster.ts";

interface PeerFields {
  readonly name: string;
  readonly peerAddress?: string;
  readonly localAddress?: string;
}

interface InstanceFields {
  readonly name: string;
  readonly localASN?: number;
  readonly localPort?: number;
  readonly routerID?: string;
  readonly peers?: readonly PeerFields[];
}

interface ConfigObject extends StoredObject {
  readonly metadata: StoredObject["metadata"] & {
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly spec: { readonly bgpInstances: readonly InstanceFields[] };
}

const PLURAL = "ciliumbgpnodeconfigs";

export class NodeConfigWriter {
  readonly #api: ApiConnection;
  readonly #cluster: ClusterWatch;

  constructor(api: ApiConnection, cluster: ClusterWatch) {
    this.#api = api;
    this.#cluster = cluster;
  }

  async write(intent: Intent): Promise<void> {
    const { state } = this.#cluster;
    const wanted = new Set<string>();
    for (const node of intent.nodes) {
      const policy = policiesOnNode(intent, node).find(({ generation }) => generation === "cluster-config");
      const origin = policy && (state.object("CiliumBGPClusterConfig", policy.object.split("/")[1]!) as ConfigObject);
      if (!origin) continue;
      wanted.add(node.name);
      const override = state.object("CiliumBGPNodeConfigOverride", node.name) as ConfigObject | null;
      const known = state.object("CiliumBGPNodeConfig", node.name) as ConfigObject | null;
      await this.#put(origin, node.name, specOn(origin, override), known);
    }
    for (const known of [...state.objects("CiliumBGPNodeConfig")] as ConfigObject[]) {
      if (!wanted.has(known.metadata.name) && isDerived(known)) await this.#remove(known);
    }
  }

  async #put(origin: ConfigObject, name: string, spec: object, known: ConfigObject | null): Promise<void> {
    if (known !== null && (!isDerived(known) || canonical(known.spec) === canonical(spec))) return;
    const { apiVersion, kind } = origin;
    const owner = { apiVersion, kind, name: origin.metadata.name, uid: origin.metadata.uid };
    const metadata = { name, ownerReferences: [owner] };
    const body = { apiVersion, kind: "CiliumBGPNodeConfig", metadata, spec };
    // What goes wrong here is put right with the next change; sessions don't depend on it.
    const written =
      known === null
        ? this.#api.create(resourcePath(apiVersion!, PLURAL, null), body)
        : this.#api.patch(resourcePath(apiVersion!, PLURAL, null, name), { metadata, spec });
    await written.catch(() => undefined);
  }

  async #remove({ apiVersion, metadata }: ConfigObject): Promise<void> {
    await this.#api.remove(resourcePath(apiVersion!, PLURAL, null, metadata.name)).catch(() => undefined);
  }
}

/** Made from a cluster configuration; others were written by hand and are left alone. */
function isDerived({ metadata }: ConfigObject): boolean {
  return (metadata.ownerReferences ?? []).some(({ kind }) => kind === "CiliumBGPClusterConfig");
}

function specOn(origin: ConfigObject, override: ConfigObject | null): object {
  return {
    bgpInstances: origin.spec.bgpInstances.map((instance) => {
      const own = override?.spec.bgpInstances.find(({ name }) => name === instance.name);
      const { peers: _merged, ...changed } = own ?? {};
      return {
        ...instance,
        ...changed,
        peers: (instance.peers ?? []).map((peer) => {
          const localAddress = own?.peers?.find(({ name }) => name === peer.name)?.localAddress;
          return {
            ...peer,
            ...(peer.peerAddress === undefined ? {} : { peerAddress: peer.peerAddress.split("/")[0] }),
            ...(localAddress === undefined ? {} : { localAddress }),
          };
        }),
      };
    }),
  };
}

/** One text for one meaning, whatever the order of the keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) =>
    typeof child === "object" && child !== null && !Array.isArray(child)
      ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1)))
      : child,
  );
}

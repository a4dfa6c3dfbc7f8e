/**
 * Says in a `ConfigurationState` whether this node understands the configuration, where MetalLB's objects make it up: what
 * its users look at after an edit. Written when it says something new.
 */
import { type ConfigurationResult, configurationResult } from "../control/configuration-state.ts";
import type { Intent } from "../intent/intent.ts";
import { type ApiConnection, ApiError } from "./api-connection.ts";
import { canonical } from "./node-config-writer.ts";
import { resourcePath } from "./object-watch.ts";
import type { ClusterWatch } from "./watch-cluster.ts";

const VERSION = "metallb.io/v1beta1";

export class ConfigurationReporter {
  readonly #api: ApiConnection;
  readonly #cluster: ClusterWatch;
  readonly #node: string;
  readonly #namespace: string;
  #written: string | null = null;

  constructor(api: ApiConnection, cluster: ClusterWatch, node: string, namespace: string) {
    this.#api = api;
    this.#cluster = cluster;
    this.#node = node;
    this.#namespace = namespace;
  }

  /** Fails when the API server does not take it; the next call tries again. */
  async report(): Promise<void> {
    const { intent, problems } = this.#cluster.state.current();
    if (!speaksMetalLb(intent)) return;
    const result = configurationResult(problems);
    const text = canonical(result);
    if (text === this.#written) return;
    await this.#write(result);
    this.#written = text;
  }

  async #write(status: ConfigurationResult): Promise<void> {
    const name = `speaker-${this.#node}`.slice(0, 253);
    const place = resourcePath(VERSION, "configurationstates", this.#namespace);
    const labels = { "metallb.io/component-type": "speaker", "metallb.io/node-name": this.#node.slice(0, 63) };
    const object = { apiVersion: VERSION, kind: "ConfigurationState", metadata: { name, labels } };
    await this.#api.create(place, object).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
    });
    await this.#api.patch(`${place}/${name}/status`, { status });
  }
}

function speaksMetalLb({ pools, bgpPolicies, l2Policies }: Intent): boolean {
  return (
    pools.some(({ dialect }) => dialect === "metallb") ||
    bgpPolicies.some(({ generation }) => generation === "session") ||
    l2Policies.some(({ dialect }) => dialect === "metallb")
  );
}

/** Kubernetes Events on objects: each sentence once, however often it is said. */
import type { ServiceEvent } from "../ipam/condition.ts";
import type { ApiConnection } from "./api-connection.ts";
import { resourcePath, type StoredObject } from "./object-watch.ts";

/** Sentences remembered; one that was forgotten may be said again. */
const MEMORY = 10_000;

export class EventRecorder {
  readonly #api: ApiConnection;
  readonly #component: string;
  readonly #host: string;
  readonly #said = new Set<string>();

  constructor(api: ApiConnection, component: string, host: string) {
    this.#api = api;
    this.#component = component;
    this.#host = host;
  }

  record(about: StoredObject | null, { type, reason, message }: ServiceEvent): void {
    if (about === null) return;
    const { name, namespace = "default", uid, resourceVersion } = about.metadata;
    const key = `${uid} ${reason} ${message}`;
    if (this.#said.has(key)) return;
    if (this.#said.size >= MEMORY) this.#said.clear();
    this.#said.add(key);
    const now = new Date().toISOString().replace(/\.\d+/, "");
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid, resourceVersion },
      type,
      reason,
      message: message.slice(0, 1024),
      source: { component: this.#component, host: this.#host },
      reportingComponent: this.#component,
      reportingInstance: this.#host,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    // An Event is a courtesy: without it everything goes on.
    this.#api.create(resourcePath("v1", "events", namespace), event).catch(() => this.#said.delete(key));
  }
}

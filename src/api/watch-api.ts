/**
 * The part of the API that the status page lives on: `GET /v1/watch`, server-sent events until the asker leaves.
 *
 *   event: overview   once a second: an `Overview`
 *   event: fleet      every three seconds: a `FleetStatus`
 *   event: timeline   a `TimelineEntry`: those that are kept, then each as it comes
 *
 * However many look, an overview is made once a second, and none while nobody looks. An asker that reads too slowly
 * misses some.
 */
import type { ServerResponse } from "node:http";
import type { Overview } from "../agent/overview.ts";
import type { TimelineEntry } from "../agent/timeline.ts";
import type { FleetStatus } from "../fleet/fleet.ts";

export interface WatchSource {
  overview(): Promise<Overview>;
  fleet(): Promise<FleetStatus>;
  readonly timeline: {
    readonly entries: readonly TimelineEntry[];
    onEntry(listener: (entry: TimelineEntry) => void): () => void;
  };
}

const INTERVAL_MILLISECONDS = 1000;
/** Overviews for each look at all nodes. */
const FLEET_EVERY = 3;
const MOST_WATCHERS = 64;
const MOST_WAITING_BYTES = 1 << 22;

export class Watchers {
  readonly #source: WatchSource;
  readonly #responses = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | null = null;
  #busy = false;
  #asksFleet = false;
  #turn = 0;

  constructor(source: WatchSource) {
    this.#source = source;
  }

  add(response: ServerResponse): void {
    if (this.#responses.size >= MOST_WATCHERS) {
      response.writeHead(503, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: `${MOST_WATCHERS} are watching already` }));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    for (const entry of this.#source.timeline.entries) send(response, "timeline", entry);
    const leaveTimeline = this.#source.timeline.onEntry((entry) => send(response, "timeline", entry));
    this.#responses.add(response);
    response.once("close", () => {
      leaveTimeline();
      this.#responses.delete(response);
      if (this.#responses.size === 0) this.close();
    });
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MILLISECONDS);
    void this.#tell();
    void this.#tellFleet();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    void this.#tell();
    if (++this.#turn % FLEET_EVERY === 0) void this.#tellFleet();
  }

  /** Beside the overviews, which wait for no other node. */
  async #tellFleet(): Promise<void> {
    if (this.#asksFleet) return;
    this.#asksFleet = true;
    try {
      const fleet = await this.#source.fleet();
      for (const response of this.#responses) send(response, "fleet", fleet);
    } catch {
      // It is still starting, or stopping.
    } finally {
      this.#asksFleet = false;
    }
  }

  async #tell(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const overview = await this.#source.overview();
      for (const response of this.#responses) send(response, "overview", overview);
    } catch {
      // It is still starting, or stopping: there is nothing to show yet.
    } finally {
      this.#busy = false;
    }
  }
}

function send(response: ServerResponse, event: string, value: unknown): void {
  if (response.writableLength > MOST_WAITING_BYTES) return;
  response.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
}

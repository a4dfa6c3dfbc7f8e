/** What is counted of addresses on links, above all how long takeovers last. Kept while the process lives. */
import { Counter, Histogram, Registry } from "prom-client";
import type { AnnouncerEvent } from "../announcer/announcer-message.ts";

const BUCKETS_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2, 5, 10, 20];
const LOOK_MILLISECONDS = 25;
/** An address that nobody asks for after a takeover tells nothing about it. */
const FIRST_FRAME_MILLISECONDS = 5000;

export class L2Metrics {
  readonly registry = new Registry();
  readonly #requests: () => ReadonlyMap<string, number>;
  readonly #watched = new Map<string, { readonly before: number; readonly diedAt: number; readonly until: number }>();
  #timer: NodeJS.Timeout | null = null;
  readonly #announced: Histogram;
  readonly #served: Histogram;
  readonly #events: Counter<"event">;

  /** @param requests frames served by address, since the start. */
  constructor(requests: () => ReadonlyMap<string, number>) {
    this.#requests = requests;
    const histogram = (name: string, help: string) =>
      new Histogram({ name, help, buckets: BUCKETS_SECONDS, registers: [this.registry] });
    this.#announced = histogram(
      "sluice_l2_failover_seconds",
      "From a dead owner's last sign of life to the announcement of the new one",
    );
    this.#served = histogram(
      "sluice_l2_failover_served_seconds",
      "From a dead owner's last sign of life to the first frame that the new one served",
    );
    const help = "Events of addresses on links, by kind";
    this.#events = new Counter({
      name: "sluice_l2_events_total",
      help,
      labelNames: ["event"],
      registers: [this.registry],
    });
  }

  count(event: AnnouncerEvent): void {
    this.#events.inc({ event: event.type === "answers" ? event.cause : event.type });
    if (event.type !== "answers" || event.silentMilliseconds === null) return;
    this.#announced.observe(event.silentMilliseconds / 1000);
    this.#watch(event.address, performance.now() - event.silentMilliseconds);
  }

  /** Counters of all addresses are read at once, however many were taken over together. */
  #watch(address: string, diedAt: number): void {
    const before = this.#requests().get(address) ?? 0;
    this.#watched.set(address, { before, diedAt, until: performance.now() + FIRST_FRAME_MILLISECONDS });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MILLISECONDS).unref();
  }

  #look(): void {
    const now = performance.now();
    const requests = this.#requests();
    for (const [address, { before, diedAt, until }] of this.#watched) {
      const isServed = (requests.get(address) ?? 0) !== before;
      if (isServed) this.#served.observe((now - diedAt) / 1000);
      if (isServed || now > until) this.#watched.delete(address);
    }
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

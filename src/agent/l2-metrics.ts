/** What is counted of addresses on links, above all how long takeovers last. Kept while the process lives. */
import { Counter, Histogram, Registry } from "prom-client";
import type { AnnouncerEvent } from "../announcer/announcer-message.ts";

const BUCKETS_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2, 5, 10, 20];
const LOOK_MILLISECONDS = 20;
/** An address that nobody asks for after a takeover tells nothing about it. */
const FIRST_FRAME_MILLISECONDS = 5000;

export class L2Metrics {
  readonly registry = new Registry();
  readonly #requestsTo: (address: string) => number;
  readonly #announced: Histogram;
  readonly #served: Histogram;
  readonly #events: Counter<"event">;

  constructor(requestsTo: (address: string) => number) {
    this.#requestsTo = requestsTo;
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

  #watch(address: string, diedAt: number): void {
    const before = this.#requestsTo(address);
    const start = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      const isServed = this.#requestsTo(address) !== before;
      if (isServed) this.#served.observe((now - diedAt) / 1000);
      if (isServed || now - start > FIRST_FRAME_MILLISECONDS) clearInterval(timer);
    }, LOOK_MILLISECONDS).unref();
  }
}

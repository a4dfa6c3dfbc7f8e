/** How long changes take, from the moment they are known here until every worker forwards by them and peers are told. */
import { Counter, Histogram, Registry } from "prom-client";

const BUCKETS_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

export class ConvergenceMetrics {
  readonly registry = new Registry();
  readonly #inForce = new Histogram({
    name: "sluice_convergence_seconds",
    help: "From a change of manifests or cluster to its being in force",
    buckets: BUCKETS_SECONDS,
    registers: [this.registry],
  });
  readonly #refused = new Counter({
    name: "sluice_changes_refused_total",
    help: "Changes that could not be carried out; the state before them stayed",
    registers: [this.registry],
  });

  /** @param takenAt `performance.now()` when the change was known. */
  inForce(takenAt: number): void {
    this.#inForce.observe((performance.now() - takenAt) / 1000);
  }

  refused(): void {
    this.#refused.inc();
  }
}

/**
 * When a Service last failed over or was handed over, as far as this node has a part in it: it took one of its addresses on a
 * link from another node, or a node was taken out of those that attract its traffic. The last move of each, for people;
 * metrics have the times.
 */
import type { AnnouncerEvent } from "../announcer/announcer-message.ts";
import type { Plan } from "../control/plan.ts";

/** Of so many Services; a cluster that lost a node with more keeps the newest. */
const MOST_MOVES = 2000;

export interface ServiceMove {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `10.0.5.100 failed over from node2 to node1 in 0.64 s`, `... handed over by node2 to node1`, `no longer by node2`. */
  readonly what: string;
}

export class ServiceMoves {
  readonly #node: string;
  readonly #moves = new Map<string, ServiceMove>();

  constructor(node: string) {
    this.#node = node;
  }

  /** By NAMESPACE/NAME, the newest last. */
  get byService(): ReadonlyMap<string, ServiceMove> {
    return this.#moves;
  }

  /** Services that are gone are forgotten. A Service in which nothing has changed is the same object in both plans. */
  planned(before: Plan | null, { services }: Plan, time: number): void {
    for (const name of this.#moves.keys()) if (!Object.hasOwn(services, name)) this.#moves.delete(name);
    if (before === null) return;
    for (const [name, was] of Object.entries(before.services)) {
      const now = services[name];
      if (now === undefined || now === was || now.eligibleNodes === was.eligibleNodes) continue;
      const gone = was.eligibleNodes.filter((node) => !now.eligibleNodes.includes(node));
      if (gone.length > 0) this.#keep(name, { time, what: `no longer by ${gone.join(", ")}` });
    }
  }

  /** An owner's own news: each node tells of what it took. */
  heard(event: AnnouncerEvent, servicesOf: (address: string) => readonly string[], time: number): void {
    if (event.type !== "answers" || event.previous === null || event.previous === this.#node) return;
    const { address, previous, silentMilliseconds } = event;
    const what =
      silentMilliseconds === null
        ? `${address} handed over by ${previous} to ${this.#node}`
        : `${address} failed over from ${previous} to ${this.#node} in ${(silentMilliseconds / 1000).toFixed(2)} s`;
    for (const name of servicesOf(address)) this.#keep(name, { time, what });
  }

  #keep(name: string, move: ServiceMove): void {
    this.#moves.delete(name);
    this.#moves.set(name, move);
    if (this.#moves.size > MOST_MOVES) this.#moves.delete(this.#moves.keys().next().value!);
  }
}

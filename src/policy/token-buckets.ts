/**
 * A token bucket for each client: so many events a second in the long run, so many at once. Shared by all workers; a
 * client that was forgotten (client-table.ts) begins with a full bucket.
 *
 * Tokens are counted in thousandths, so that slow rates fill evenly.
 */
import { ClientTable } from "./client-table.ts";
import type { FlowAddress } from "./define-policy.ts";

/** Words of a client: thousandths of tokens spent, and when that was true. */
const SPENT = 0;
const SINCE = 1;
const WORDS = 2;
const THOUSANDTHS = 1000;

export class TokenBuckets {
  readonly #table: ClientTable;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Float64Array;

  static memoryWords(clients: number): number {
    return ClientTable.memoryWords(clients, WORDS);
  }

  /**
   * @param perSecond tokens, may be a fraction.
   * @param burst tokens that a full bucket has, at most two million.
   * @param clock nanoseconds of the monotonic clock, in its first element.
   */
  constructor(memory: Int32Array, perSecond: number, burst: number, clock: Float64Array) {
    this.#table = new ClientTable(memory, WORDS);
    this.#perSecond = perSecond;
    this.#burst = burst * THOUSANDTHS;
    this.#clock = clock;
  }

  /**
   * Takes a token. @returns false when the bucket is empty.
   *
   * For a client that is known no lock is taken, which would cost as much as all the rest. So two takes within the same few
   * nanoseconds may count as one, and one from a place that another client gets at that moment counts for that client.
   */
  take(client: FlowAddress): boolean {
    const at = this.#table.see(client);
    return at >= 0 ? this.#takeAt(at) : this.#takeFirst(client);
  }

  #takeFirst(client: FlowAddress): boolean {
    const isTaken = this.#takeAt(this.#table.enter(client));
    this.#table.leave();
    return isTaken;
  }

  #takeAt(at: number): boolean {
    const { words } = this.#table;
    // Wraps after weeks, which differences do not mind.
    const now = (this.#clock[0]! / 1e6) | 0;
    const spent = words[at + SPENT]!;
    // A worker whose clock was read a little earlier comes later: no time has passed for it.
    const passed = Math.max(0, (now - words[at + SINCE]!) | 0);
    const refilled = Math.floor(passed * this.#perSecond);
    let left = spent;
    if (refilled > 0 || spent === 0) {
      left = Math.max(0, spent - refilled);
      words[at + SINCE] = now;
    }
    const allowed = left + THOUSANDTHS <= this.#burst;
    words[at + SPENT] = allowed ? left + THOUSANDTHS : left;
    return allowed;
  }
}

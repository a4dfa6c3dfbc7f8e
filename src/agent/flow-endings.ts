/**
 * Which flows end without a word of their own: those silent for too long, those whose VIP or backend is no longer served,
 * and those about which policies are to be asked again. The main thread's part; workers end what frames end.
 */
import { endMovedFlows, FlowExpiry, withdrawOwned } from "../dataplane/expiry.ts";
import { FlowEnd } from "../dataplane/flow-end.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { giveWay } from "../xdp/wait.ts";

/** The whole table is looked over in about ten seconds. */
const EXPIRY_MILLISECONDS = 250;
const EXPIRY_ROUNDS = 40;
/**
 * After so many rows, some 20 µs where they are empty, whoever waits for the core goes first. A round of 0.7 ms at once
 * made a request that met it wait as long (bench/latency).
 */
const ROWS_AT_ONCE = 1024;

export class FlowEndings {
  readonly #flows: readonly FlowTable[];
  readonly #ids: IdRegistry;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  /** Whether a spec has said which of the flows are still wanted. */
  #isJudged: boolean;

  /**
   * @param now monotonic seconds, as in the flow rows.
   * @param takenOver whether there are flows of a process before this one, which a spec is yet to judge.
   */
  constructor(flows: readonly FlowTable[], ids: IdRegistry, now: () => number, takenOver: boolean) {
    this.#flows = flows;
    this.#ids = ids;
    this.#now = now;
    this.#isJudged = !takenOver;
    const sweeps = flows.map((table) => ({
      expiry: new FlowExpiry(table),
      steps: Math.ceil(table.capacity / EXPIRY_ROUNDS / ROWS_AT_ONCE),
    }));
    this.#timer = setInterval(() => {
      const second = now();
      for (const { expiry, steps } of sweeps) {
        for (let step = 0; step < steps; step++) {
          expiry.tick(1 / (EXPIRY_ROUNDS * steps), second);
          giveWay();
        }
      }
    }, EXPIRY_MILLISECONDS);
  }

  /** Open flows of these VIPs end: their next frames are those of new flows, about which policies are asked. */
  askAgain(vips: ReadonlySet<number>): void {
    if (vips.size > 0) this.#withdraw((vip) => vips.has(vip), FlowEnd.askedAgain);
  }

  /** Flows of VIPs and backends that the spec no longer has end now, and their ids are free again. */
  retire(spec: ForwardingSpec): void {
    // What a process takes over is not ended by the empty plan that it may begin with.
    this.#isJudged ||= spec.vips.length > 0;
    if (!this.#isJudged) return;
    const retired = this.#ids.missingFrom(spec);
    if (retired.isEmpty) return;
    this.#withdraw(retired.isGone, FlowEnd.unserved);
    this.#ids.retain(spec);
  }

  /** Traffic comes back to this node: what others have served meanwhile is forgotten. */
  endMoved(): void {
    for (const flows of this.#flows) endMovedFlows(flows, this.#now());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #withdraw(isGone: (vip: number, backend: number) => boolean, reason: FlowEnd): void {
    for (const flows of this.#flows) withdrawOwned(flows, isGone, reason, this.#now());
  }
}

/** What this node has moved: the workers' counters and the kernel's together, of all frames and of each VIP. */
import {
  type Counters,
  FLOWS_EVICTED,
  FLOWS_OPENED,
  sumCounters,
  VIP_COUNTERS,
  VIP_STRIDE,
  type VipCounterName,
} from "../dataplane/counters.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { addVipTraffic } from "../xdp/vip-traffic.ts";
import { readXdpCounters, type XdpOutcome } from "../xdp/xdp-counters.ts";

export class TrafficCounters {
  readonly #workers: readonly Counters[];
  readonly #object: BpfObject;
  readonly #ids: IdRegistry;
  /** What the counters of a VIP's id showed when the VIP got it: ids are given again, counters never reset. */
  readonly #bases = new Map<number, Float64Array>();
  /** What the kernel had counted when this process began, which may have taken its maps over. */
  readonly #before: Record<XdpOutcome, number>;

  constructor(workers: readonly Counters[], object: BpfObject, ids: IdRegistry) {
    this.#workers = workers;
    this.#object = object;
    this.#ids = ids;
    this.#before = this.xdp();
  }

  sum(): Counters {
    const counters = sumCounters(this.#workers, this.#ids.vips().keys());
    const traffic = this.#object.map("vip_traffic");
    for (const id of this.#ids.vips().keys()) addVipTraffic(traffic, id, counters.vips, id * VIP_STRIDE);
    const { open, evicted } = this.xdp();
    counters.totals[FLOWS_OPENED]! += open - this.#before.open;
    counters.totals[FLOWS_EVICTED]! += evicted - this.#before.evicted;
    return counters;
  }

  /** The VIPs that have got their ids since `known` begin at zero. */
  beginNew(known: ReadonlySet<number>): void {
    const { vips } = this.sum();
    for (const id of this.#ids.vips().keys()) {
      if (!known.has(id)) this.#bases.set(id, vips.slice(id * VIP_STRIDE, (id + 1) * VIP_STRIDE));
    }
  }

  /** What a VIP has moved since it is configured. @param counters of `sum`. */
  ofVip(id: number, counters: Counters): Record<VipCounterName, number> {
    const base = this.#bases.get(id);
    const of = (index: number) => counters.vips[id * VIP_STRIDE + index]! - (base?.[index] ?? 0);
    return Object.fromEntries(VIP_COUNTERS.map((name, index) => [name, of(index)])) as Record<VipCounterName, number>;
  }

  xdp(): Record<XdpOutcome, number> {
    return readXdpCounters(this.#object.map("xdp_counters"));
  }
}

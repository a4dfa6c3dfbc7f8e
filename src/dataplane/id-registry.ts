/**
 * Ids of VIPs and backends: 16 bits each, given once and kept as long as the thing is configured, whatever else changes.
 * Flow rows and counters refer to them; the names behind them stay here, for people.
 */
import { formatIpAddress } from "../net/ip-address.ts";
import type { BackendSpec, ForwardingSpec, VipSpec } from "./forwarding-spec.ts";

const MAX_IDS = 1 << 16;

export class IdRegistry {
  readonly #vips = new Ids<VipSpec>();
  readonly #backends = new Ids<BackendSpec>();

  vip(vip: VipSpec): number {
    return this.#vips.of(vipKey(vip), vip);
  }

  backend(vip: VipSpec, backend: BackendSpec): number {
    return this.#backends.of(backendKey(vip, backend), backend);
  }

  vipById(id: number): VipSpec | null {
    return this.#vips.byId(id);
  }

  backendById(id: number): BackendSpec | null {
    return this.#backends.byId(id);
  }

  /** The ids of what a spec no longer has. */
  missingFrom(spec: ForwardingSpec): { vips: ReadonlySet<number>; backends: ReadonlySet<number> } {
    return { vips: this.#vips.missing(vipKeys(spec)), backends: this.#backends.missing(backendKeys(spec)) };
  }

  /**
   * Forgets what a spec no longer has, so that its ids can be given again.
   * Call it when no flow row refers to them any more.
   */
  retain(spec: ForwardingSpec): void {
    this.#vips.keep(vipKeys(spec));
    this.#backends.keep(backendKeys(spec));
  }

  vips(): ReadonlyMap<number, VipSpec> {
    return this.#vips.entries();
  }
}

class Ids<T> {
  readonly #idByKey = new Map<string, number>();
  readonly #valueById = new Map<number, T>();
  readonly #free: number[] = [];
  #next = 0;

  of(key: string, value: T): number {
    let id = this.#idByKey.get(key);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#next++;
      if (id >= MAX_IDS) throw new RangeError(`more than ${MAX_IDS} VIPs or backends on one node`);
      this.#idByKey.set(key, id);
    }
    this.#valueById.set(id, value);
    return id;
  }

  byId(id: number): T | null {
    return this.#valueById.get(id) ?? null;
  }

  missing(keys: ReadonlySet<string>): ReadonlySet<number> {
    return new Set([...this.#idByKey].filter(([key]) => !keys.has(key)).map(([, id]) => id));
  }

  keep(keys: ReadonlySet<string>): void {
    for (const [key, id] of this.#idByKey) {
      if (keys.has(key)) continue;
      this.#idByKey.delete(key);
      this.#valueById.delete(id);
      this.#free.push(id);
    }
  }

  entries(): ReadonlyMap<number, T> {
    return this.#valueById;
  }
}

function vipKey(vip: VipSpec): string {
  return `${formatIpAddress(vip.address)}:${vip.port}/${vip.protocol}`;
}

function backendKey(vip: VipSpec, backend: BackendSpec): string {
  return `${vipKey(vip)} ${formatIpAddress(backend.address)}:${backend.port}`;
}

function vipKeys(spec: ForwardingSpec): ReadonlySet<string> {
  return new Set(spec.vips.map(vipKey));
}

function backendKeys(spec: ForwardingSpec): ReadonlySet<string> {
  return new Set(spec.vips.flatMap((vip) => vip.backends.map((backend) => backendKey(vip, backend))));
}

/**
 * Ids of VIPs and of their backends: 16 bits each, given once and kept as long as the thing is configured, whatever else
 * changes. A backend's id counts among those of its VIP, so a node may have any number of them in all. Flow rows refer to
 * both in one word, counters to the VIP's; the names behind them stay here, for people.
 *
 * Specs are remembered by identity: a VIP whose spec is the same object has nothing to look up.
 */
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import type { BackendSpec, ForwardingSpec, TransportProtocol, VipSpec } from "./forwarding-spec.ts";

const MAX_IDS = 1 << 16;
const PROTOCOL_NAME: ReadonlyMap<number, TransportProtocol> = new Map([
  [PROTOCOL_TCP, "TCP"],
  [PROTOCOL_UDP, "UDP"],
  [PROTOCOL_SCTP, "SCTP"],
]);

/** One VIP and the ids under it. */
export interface VipIds {
  readonly id: number;
  /** In the order of the backends of the spec. */
  readonly backends: readonly number[];
}

/** What a live flow's row tells of the ids that it was opened with. */
export interface AdoptedIds {
  readonly vip: { readonly address: IpAddress; readonly port: number };
  /** As in IP. */
  readonly protocol: number;
  readonly vipId: number;
  readonly backend: { readonly address: IpAddress; readonly port: number };
  readonly backendId: number;
}

interface Entry {
  readonly key: string;
  readonly ids: VipIds;
  readonly backends: Ids;
}

/** What a spec no longer has. */
interface RetiredIds {
  readonly isEmpty: boolean;
  isGone(vipId: number, backendId: number): boolean;
}

export class IdRegistry {
  readonly #ids = new Ids("VIPs on one node");
  readonly #entries = new Map<string, { spec: VipSpec; entry: Entry }>();
  readonly #known = new WeakMap<VipSpec, Entry>();
  readonly #specs = new Map<number, VipSpec>();
  /** Ids of flows that are older than this registry, of VIPs that no spec has named yet; by key. */
  readonly #adopted = new Map<string, { readonly id: number; readonly backends: Ids }>();

  /** Keeps the ids of a flow that is older than this registry. Call it before any spec comes. */
  adopt({ vip, protocol, vipId, backend, backendId }: AdoptedIds): void {
    const key = `${endpointKey(vip)}/${PROTOCOL_NAME.get(protocol)}`;
    let adopted = this.#adopted.get(key);
    if (adopted === undefined) {
      adopted = { id: vipId, backends: new Ids(`backends of ${key}`) };
      this.#ids.adopt(key, vipId);
      this.#adopted.set(key, adopted);
    }
    adopted.backends.adopt(endpointKey(backend), backendId);
  }

  of(spec: VipSpec): VipIds {
    const known = this.#known.get(spec);
    const key = known?.key ?? vipKey(spec);
    const last = this.#entries.get(key);
    if (known !== undefined && last?.entry === known) return known.ids;
    const backends = last?.entry.backends ?? this.#adopted.get(key)?.backends ?? new Ids(`backends of ${key}`);
    this.#adopted.delete(key);
    const id = this.#ids.of(key);
    const entry = { key, backends, ids: { id, backends: spec.backends.map((one) => backends.of(backendKey(one))) } };
    this.#entries.set(key, { spec, entry });
    this.#known.set(spec, entry);
    this.#specs.set(id, spec);
    return entry.ids;
  }

  vipById(id: number): VipSpec | null {
    return this.#specs.get(id) ?? null;
  }

  /** Specs by id. */
  vips(): ReadonlyMap<number, VipSpec> {
    return this.#specs;
  }

  /** The ids of what a spec no longer has; every VIP of the spec has ids. */
  missingFrom(spec: ForwardingSpec): RetiredIds {
    const now = new Set(spec.vips.map((vip) => this.of(vip).id));
    const adopted = Array.from(this.#adopted.values(), ({ id }) => id);
    const vips = new Set([...this.#specs.keys(), ...adopted].filter((id) => !now.has(id)));
    const backends = new Map<number, ReadonlySet<number>>();
    for (const { entry } of this.#entries.values()) {
      const { ids, backends: given } = entry;
      if (given.count === ids.backends.length || vips.has(ids.id)) continue;
      backends.set(ids.id, given.without(new Set(ids.backends)));
    }
    return {
      isEmpty: vips.size === 0 && backends.size === 0,
      isGone: (vip, backend) => vips.has(vip) || (backends.get(vip)?.has(backend) ?? false),
    };
  }

  /**
   * Forgets what a spec no longer has, so that its ids can be given again.
   * Call it when no flow row refers to them any more.
   */
  retain(spec: ForwardingSpec): void {
    const now = new Set(spec.vips.map((vip) => this.of(vip).id));
    for (const key of this.#adopted.keys()) this.#ids.forget(key);
    this.#adopted.clear();
    for (const [key, { entry }] of this.#entries) {
      const { id, backends } = entry.ids;
      if (now.has(id)) {
        if (entry.backends.count !== backends.length) entry.backends.keep(new Set(backends));
        continue;
      }
      this.#ids.forget(key);
      this.#specs.delete(id);
      this.#entries.delete(key);
    }
  }
}

class Ids {
  readonly #what: string;
  readonly #idByKey = new Map<string, number>();
  readonly #free: number[] = [];
  #next = 0;

  constructor(what: string) {
    this.#what = what;
  }

  get count(): number {
    return this.#idByKey.size;
  }

  of(key: string): number {
    let id = this.#idByKey.get(key);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#next++;
      if (id >= MAX_IDS) throw new RangeError(`more than ${MAX_IDS} ${this.#what}`);
      this.#idByKey.set(key, id);
    }
    return id;
  }

  adopt(key: string, id: number): void {
    if (this.#idByKey.has(key)) return;
    this.#idByKey.set(key, id);
    for (; this.#next <= id; this.#next++) if (this.#next !== id) this.#free.push(this.#next);
    const free = this.#free.indexOf(id);
    if (free >= 0) this.#free.splice(free, 1);
  }

  without(ids: ReadonlySet<number>): ReadonlySet<number> {
    return new Set([...this.#idByKey.values()].filter((id) => !ids.has(id)));
  }

  forget(key: string): void {
    this.#free.push(this.#idByKey.get(key)!);
    this.#idByKey.delete(key);
  }

  keep(ids: ReadonlySet<number>): void {
    for (const [key, id] of this.#idByKey) if (!ids.has(id)) this.forget(key);
  }
}

function vipKey(vip: VipSpec): string {
  return `${endpointKey(vip)}/${vip.protocol}`;
}

function backendKey(backend: BackendSpec): string {
  return endpointKey(backend);
}

/** What an address and port are known by, to all that remembers backends from one epoch to another. */
export function endpointKey({ address, port }: { readonly address: IpAddress; readonly port: number }): string {
  return `${formatIpAddress(address)}:${port}`;
}

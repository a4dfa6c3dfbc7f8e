/** The pools during one allocation: which of them serve a Service, what is free in them, who holds what. */
import type { AddressPool } from "../intent/address-pool.ts";
import { type Labels, matches, matchesAny } from "../intent/selector.ts";
import { type Service, selectableLabels } from "../intent/service.ts";
import { formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import { rangeContains, rangeSize } from "../net/ip-range.ts";
import { byAge } from "./age.ts";
import { endsOf, FreeGaps } from "./free-gaps.ts";
import { poolConflicts } from "./pool-conflicts.ts";
import type { ReservedRange } from "./reserved-range.ts";

export interface PoolCounts {
  readonly total: bigint;
  readonly available: bigint;
  readonly used: bigint;
  /** Of each family: addresses that Services hold, and those left. */
  readonly families: Readonly<Record<IpFamily, { readonly assigned: bigint; readonly available: bigint }>>;
}

interface Holding {
  readonly address: IpAddress;
  readonly services: Service[];
}

export class PoolStore {
  readonly #pools: readonly AddressPool[];
  readonly #conflicts: ReadonlyMap<string, string>;
  /** By pool name, beside its blocks. */
  readonly #gaps = new Map<string, FreeGaps[]>();
  /** By pool name. */
  readonly #assigned = new Map<string, Record<IpFamily, bigint>>();
  readonly #holdings = new Map<string, Holding>();
  /** The holdings that Services of each sharing key have part in. */
  readonly #bySharingKey = new Map<string, Set<Holding>>();

  constructor(pools: readonly AddressPool[]) {
    this.#pools = [...pools].sort(byAge);
    this.#conflicts = poolConflicts(pools);
    for (const pool of pools) {
      this.#assigned.set(pool.name, { 4: 0n, 6: 0n });
      this.#gaps.set(
        pool.name,
        pool.blocks.map((block) => new FreeGaps(block, pool.avoidBuggyAddresses)),
      );
    }
  }

  /** Keeps these addresses, and first and last ones where the pool says so, from being given from now on. */
  reserve(reserved: readonly ReservedRange[]): void {
    for (const pool of this.#pools) {
      for (const [index, block] of pool.blocks.entries()) {
        const gaps = this.#gaps.get(pool.name)![index]!;
        for (const { range } of reserved) if (range.family === block.family) gaps.take(range);
        if (pool.allowFirstLastAddresses || !block.fromCidr) continue;
        for (const end of endsOf(block)) gaps.take({ first: end, last: end });
      }
    }
  }

  conflict(pool: AddressPool): string | null {
    return this.#conflicts.get(pool.name) ?? null;
  }

  /**
   * Pools that serve a Service, the preferred one first: one that selected it (of MetalLB's by their priority), then the
   * elder, then by name. A pool that the Service names is the only one.
   */
  poolsFor(service: Service, among = this.#pools): readonly AddressPool[] {
    const labels = selectableLabels(service);
    const fitting = among.filter((pool) => serves(pool, service, labels));
    const selecting = fitting.filter(isSelective).sort((a, b) => priorityOf(a) - priorityOf(b));
    return [...selecting, ...fitting.filter((pool) => !isSelective(pool))];
  }

  /**
   * The pool by which a Service has an address, or would have it: of those that serve it one that is open, else the one
   * that it prefers. It does not matter who has the address already.
   */
  poolWith(address: IpAddress, service: Service): AddressPool | null {
    const containing = this.#pools.filter((pool) => poolContains(pool, address));
    const pools = this.poolsFor(service, containing);
    return pools.find((pool) => this.isOpen(pool)) ?? pools[0] ?? null;
  }

  /** A pool that gives new addresses. */
  isOpen(pool: AddressPool): boolean {
    return !pool.disabled && !this.#conflicts.has(pool.name);
  }

  isInOpenPool(address: IpAddress): boolean {
    return this.#pools.some((pool) => this.isOpen(pool) && poolContains(pool, address));
  }

  holders(address: IpAddress): readonly Service[] {
    return this.#holdings.get(formatIpAddress(address))?.services ?? [];
  }

  /** Free to be given: in the pool, not held, not reserved. */
  isFree(pool: AddressPool, address: IpAddress): boolean {
    const blocks = this.#gaps.get(pool.name)!;
    return pool.blocks.some((block, index) => rangeContains(block, address) && blocks[index]!.has(address.value));
  }

  /** Gives an address to a Service, alone or beside those who hold it. */
  hold(address: IpAddress, service: Service): void {
    const key = formatIpAddress(address);
    const known = this.#holdings.get(key);
    const holding = known ?? { address, services: [] };
    holding.services.push(service);
    if (service.sharing !== null) this.#sharers(service.sharing.key).add(holding);
    if (known !== undefined) return;
    this.#holdings.set(key, holding);
    // Pools in conflict overlap: the address is taken out of every block that has it, and counts in each such pool.
    for (const pool of this.#pools) {
      if (!poolContains(pool, address)) continue;
      this.#assigned.get(pool.name)![address.family] += 1n;
      for (const [index, block] of pool.blocks.entries()) {
        if (!rangeContains(block, address)) continue;
        this.#gaps.get(pool.name)![index]!.take({ first: address.value, last: address.value });
      }
    }
  }

  /** The next free address of a family in a pool, as its dialect picks it; `null` when it has none. */
  nextFree(pool: AddressPool, family: IpFamily): IpAddress | null {
    for (const [index, block] of pool.blocks.entries()) {
      if (block.family !== family) continue;
      const gaps = this.#gaps.get(pool.name)![index]!;
      const value = pool.dialect === "metallb" ? gaps.takeLowest() : gaps.takeNext();
      if (value !== null) return { family, value };
    }
    return null;
  }

  /** Addresses that Services of a sharing key hold, in the order in which they got them. */
  sharedUnder(key: string, family: IpFamily): readonly Holding[] {
    return [...this.#sharers(key)].filter(({ address }) => address.family === family);
  }

  #sharers(key: string): Set<Holding> {
    const sharers = this.#bySharingKey.get(key) ?? new Set();
    this.#bySharingKey.set(key, sharers);
    return sharers;
  }

  counts(pool: AddressPool): PoolCounts {
    const total = pool.blocks.reduce((sum, block) => sum + rangeSize(block), 0n);
    const available = this.#gaps.get(pool.name)!.reduce((sum, gaps) => sum + gaps.count(), 0n);
    const assigned = this.#assigned.get(pool.name)!;
    const left: Record<IpFamily, bigint> = { 4: 0n, 6: 0n };
    for (const [index, block] of pool.blocks.entries()) {
      left[block.family] += this.#gaps.get(pool.name)![index]!.count();
    }
    const families = {
      4: { assigned: assigned[4], available: left[4] },
      6: { assigned: assigned[6], available: left[6] },
    };
    return { total, available, used: total - available, families };
  }
}

export function poolContains(pool: AddressPool, address: IpAddress): boolean {
  return pool.blocks.some((block) => rangeContains(block, address));
}

function serves(pool: AddressPool, service: Service, labels: Labels): boolean {
  if (service.requestedPool !== null && service.requestedPool !== pool.name) return false;
  if (pool.serviceSelector !== null && !matches(pool.serviceSelector, labels)) return false;
  const reservedFor = pool.reservedFor;
  if (reservedFor === null) return true;
  if (reservedFor.namespaces !== null && !reservedFor.namespaces.includes(service.namespace)) return false;
  return matchesAny(reservedFor.serviceSelectors, service.labels);
}

function isSelective({ serviceSelector, reservedFor }: AddressPool): boolean {
  return serviceSelector !== null || reservedFor !== null;
}

/** MetalLB's 0, and what has no priority, comes last. */
function priorityOf({ reservedFor }: AddressPool): number {
  return reservedFor?.priority || Number.MAX_SAFE_INTEGER;
}

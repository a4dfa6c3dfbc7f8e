/**
 * Gives addresses to Services, as a function of what is wanted and what is held.
 *
 * Addresses never move: first every held address that still fits is adopted, whoever gave it and however the pools changed
 * around it; only then the rest is allocated, the eldest Service first. Doing it again with the result changes nothing.
 *
 * Both dialects: where they differ, a Service lives by the rules of the pools that serve it. Cilium says by a condition
 * whether a request is met, MetalLB by an event when it is not.
 */
import type { AddressPool } from "../intent/address-pool.ts";
import type { Dialect } from "../intent/dialect.ts";
import type { Intent } from "../intent/intent.ts";
import { type Service, serviceKey } from "../intent/service.ts";
import { compareIpAddress, formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { sharingObstacle } from "./address-sharing.ts";
import { byAge } from "./age.ts";
import { type Condition, SATISFIED, type ServiceEvent, unsatisfied } from "./condition.ts";
import { requestedFamilies } from "./family-request.ts";
import { type PoolCounts, PoolStore, poolContains } from "./pool-store.ts";
import { type ReservedRange, reservation, reservedRanges } from "./reserved-range.ts";
import { addressSource, serviceDialect } from "./responsibility.ts";

/** What an allocation depends on. */
export type AllocationIntent = Pick<Intent, "settings" | "nodes" | "pools" | "services" | "bgpPolicies" | "l2Policies">;

export interface ServiceAllocation {
  readonly addresses: readonly IpAddress[];
  /** The pool of the first address, whoever gave it; `null` when it is of none. */
  readonly pool: string | null;
  readonly conditions: readonly Condition[];
  readonly events: readonly ServiceEvent[];
}

interface PoolUse extends PoolCounts {
  readonly conflict: string | null;
}

export interface Allocation {
  /** By `namespace/name`: every Service. */
  readonly services: ReadonlyMap<string, ServiceAllocation>;
  /** By name. */
  readonly pools: ReadonlyMap<string, PoolUse>;
}

/** `gives` is false for those who only look: what is held is adopted, and nothing is given. */
export function allocate(intent: AllocationIntent, gives = true): Allocation {
  const reserved = reservedRanges(intent.nodes);
  const store = new PoolStore(intent.pools);
  const drafts = [...intent.services].sort(byAge).map((service) => new Draft(service, intent));
  for (const draft of drafts) draft.adopt(store, reserved);
  store.reserve(reserved);
  if (gives) for (const draft of drafts) draft.fill(store, reserved);
  return {
    services: new Map(drafts.map((draft) => [serviceKey(draft.service), draft.result(store)])),
    pools: new Map(intent.pools.map((pool) => [pool.name, { ...store.counts(pool), conflict: store.conflict(pool) }])),
  };
}

/** One Service on its way to its addresses. */
class Draft {
  readonly service: Service;
  readonly #intent: AllocationIntent;
  readonly #dialect: Dialect;
  readonly #source: ReturnType<typeof addressSource>;
  readonly #addresses: IpAddress[] = [];
  readonly #events: ServiceEvent[] = [];
  #failure: Condition | null = null;

  constructor(service: Service, intent: AllocationIntent) {
    this.service = service;
    this.#dialect = serviceDialect(service, null, intent);
    this.#intent = intent;
    this.#source = addressSource(service, intent);
  }

  adopt(store: PoolStore, reserved: readonly ReservedRange[]): void {
    if (this.#source === "none") return;
    for (const address of this.service.heldAddresses) {
      if (this.#has(address)) continue;
      const obstacle = this.#adoptionObstacle(address, store, reserved);
      if (obstacle === null) {
        this.#addresses.push(address);
        continue;
      }
      const message = `${formatIpAddress(address)} is taken away: ${obstacle}`;
      this.#events.push({ type: "Warning", reason: "AddressReleased", message });
    }
  }

  /** `null` when the address was adopted. */
  #adoptionObstacle(address: IpAddress, store: PoolStore, reserved: readonly ReservedRange[]): string | null {
    if (this.#source === "other-controller") return null;
    const reservedAs = reservation(reserved, address);
    if (reservedAs !== null) return `it is ${reservedAs}`;
    if (this.#source === "other-allocator") return null;
    const { requestedAddresses, requestFault } = this.service;
    if (requestFault !== null) return requestFault;
    if (requestedAddresses.length > 0) {
      if (!requestedAddresses.some((asked) => compareIpAddress(asked, address) === 0)) {
        return "the Service asks for other addresses";
      }
    } else if (!requestedFamilies(this.service, this.#intent.settings).includes(address.family)) {
      return `the Service does not ask for an IPv${address.family} address`;
    }
    if (store.poolWith(address, this.service) === null) return "no pool that serves this Service contains it";
    for (const holder of store.holders(address)) {
      const obstacle = sharingObstacle(holder, this.service);
      if (obstacle !== null) return `${serviceKey(holder)} has it (${obstacle})`;
    }
    store.hold(address, this.service);
    return null;
  }

  fill(store: PoolStore, reserved: readonly ReservedRange[]): void {
    if (this.#source !== "pools") return;
    const fault = this.service.requestFault ?? this.#poolFault() ?? this.#familyFault();
    if (fault !== null) {
      this.#failure = unsatisfied("no_pool", fault);
      return;
    }
    if (this.service.requestedAddresses.length > 0) {
      for (const address of this.service.requestedAddresses) {
        if (!this.#has(address)) this.#request(address, store, reserved);
      }
      return;
    }
    const families = requestedFamilies(this.service, this.#intent.settings);
    for (const family of families) {
      if (!this.#addresses.some((address) => address.family === family)) this.#allocateAny(family, store);
    }
    // MetalLB gives to one who only prefers two families what there is.
    const mayLack = this.#dialect === "metallb" && this.service.familyPolicy === "PreferDualStack";
    if (mayLack && this.#addresses.length > 0) this.#failure = null;
  }

  #poolFault(): string | null {
    const { requestedPool } = this.service;
    if (requestedPool === null || this.#intent.pools.some(({ name }) => name === requestedPool)) return null;
    return `unknown pool "${requestedPool}"`;
  }

  /** In MetalLB's dialect addresses of other families than the Service's are an error. */
  #familyFault(): string | null {
    const { requestedAddresses, families } = this.service;
    if (this.#dialect !== "metallb" || families.length === 0) return null;
    const stranger = requestedAddresses.find(({ family }) => !families.includes(family));
    return stranger === undefined
      ? null
      : `requested loadBalancer IP ${formatIpAddress(stranger)} does not match the ipFamily of the service`;
  }

  #request(address: IpAddress, store: PoolStore, reserved: readonly ReservedRange[]): void {
    const text = formatIpAddress(address);
    if (!store.isInOpenPool(address)) {
      this.#failure = unsatisfied("no_pool", `No pool exists with a CIDR containing '${text}'`);
      return;
    }
    const pool = store.poolWith(address, this.service);
    if (pool === null || !store.isOpen(pool)) {
      const message = `The pool with the CIDR containing '${text}', doesn't select this service`;
      this.#failure = unsatisfied("pool_selector_mismatch", message);
      return;
    }
    const holders = store.holders(address);
    if (holders.length === 0 && !store.isFree(pool, address)) {
      const what = reservation(reserved, address) ?? "the first or last address of its block (allowFirstLastIPs: No)";
      this.#failure = unsatisfied("already_allocated", `The IP '${text}' is not given to services: it is ${what}`);
      return;
    }
    if (holders.length > 0 && this.service.sharing === null) {
      const message = `The IP '${text}' is already allocated to another service`;
      this.#failure = unsatisfied("already_allocated", message);
      return;
    }
    const obstacle = firstObstacle(holders, this.service);
    if (obstacle !== null) {
      const message = `The IP '${text}' is already allocated to an incompatible service. Reason: ${obstacle}`;
      this.#failure = unsatisfied("already_allocated_incompatible_service", message);
      return;
    }
    this.#hold(store, address);
  }

  #allocateAny(family: 4 | 6, store: PoolStore): void {
    const open = store
      .poolsFor(this.service)
      .filter((pool) => store.isOpen(pool) && (pool.autoAssign || this.service.requestedPool === pool.name));
    for (const shared of this.service.sharing === null ? [] : store.sharedUnder(this.service.sharing.key, family)) {
      // What is in no pool that serves the Service, it would lose again at the next look.
      if (!open.some((pool) => poolContains(pool, shared.address))) continue;
      if (firstObstacle(shared.services, this.service) !== null) continue;
      this.#hold(store, shared.address);
      return;
    }
    for (const pool of open) {
      const address = store.nextFree(pool, family);
      if (address === null) continue;
      this.#hold(store, address);
      return;
    }
    const what = `enabled ${this.#poolKind}s that match this service`;
    this.#failure = open.some(({ blocks }) => blocks.some((block) => block.family === family))
      ? unsatisfied("out_of_ips", `All ${what} ran out of allocatable IPs`)
      : unsatisfied("no_pool", `There are no ${what}`);
  }

  get #poolKind(): string {
    return this.#dialect === "metallb" ? "IPAddressPool" : "CiliumLoadBalancerIPPool";
  }

  #hold(store: PoolStore, address: IpAddress): void {
    store.hold(address, this.service);
    this.#addresses.push(address);
  }

  #has(address: IpAddress): boolean {
    return this.#addresses.some((own) => compareIpAddress(own, address) === 0);
  }

  result(store: PoolStore): ServiceAllocation {
    const first = this.#addresses[0];
    const pool = first === undefined ? null : this.#poolOf(first, store);
    const dialect = pool?.dialect ?? this.#dialect;
    return {
      addresses: this.#addresses,
      pool: pool?.name ?? null,
      conditions: this.#source === "pools" && dialect === "cilium" ? [this.#failure ?? SATISFIED] : [],
      events: dialect === "metallb" ? [...this.#events, ...this.#failureEvents()] : this.#events,
    };
  }

  /** Of an address that somebody else gave, the pool tells by whose rules and to whom it is announced. */
  #poolOf(address: IpAddress, store: PoolStore): AddressPool | null {
    if (this.#source === "pools") return store.poolWith(address, this.service);
    if (this.#source !== "other-allocator") return null;
    return this.#intent.pools.find((pool) => poolContains(pool, address)) ?? null;
  }

  #failureEvents(): ServiceEvent[] {
    if (this.#failure === null) return [];
    const message = `Failed to allocate IP for "${serviceKey(this.service)}": ${this.#failure.message}`;
    return [{ type: "Warning", reason: "AllocationFailed", message }];
  }
}

function firstObstacle(holders: readonly Service[], service: Service): string | null {
  for (const holder of holders) {
    const obstacle = sharingObstacle(holder, service);
    if (obstacle !== null) return obstacle;
  }
  return null;
}

/** A pool of addresses from which Services of type LoadBalancer are served. */
import type { IpRange } from "../net/ip-range.ts";
import type { Dialect } from "./dialect.ts";
import type { Labels, Selector } from "./selector.ts";

export interface PoolBlock extends IpRange {
  /** Written as a CIDR: its first and last address may be held back. */
  readonly fromCidr: boolean;
  /** As the operator wrote it, for messages. */
  readonly text: string;
}

/** For whom a pool is: every condition that is there must hold. */
interface PoolReservation {
  /** Lower ones are used first; 0 is for last. */
  readonly priority: number;
  /** `null` is any. */
  readonly namespaces: readonly string[] | null;
  /** One of them must match; `null` is any Service. */
  readonly serviceSelectors: readonly Selector[] | null;
}

export interface AddressPool {
  readonly dialect: Dialect;
  readonly name: string;
  readonly labels: Labels;
  /** Milliseconds since the epoch; `null` for one that no API server has stored. */
  readonly createdAtMilliseconds: number | null;
  /** In the order of the operator, which is the order of allocation. */
  readonly blocks: readonly PoolBlock[];
  /** `null` takes every Service. */
  readonly serviceSelector: Selector | null;
  /** `null` takes every Service. */
  readonly reservedFor: PoolReservation | null;
  readonly allowFirstLastAddresses: boolean;
  /** Holds back every IPv4 address that ends in .0 or .255, which some old equipment takes for no host. */
  readonly avoidBuggyAddresses: boolean;
  /** False for one that gives only to those who name it or one of its addresses. */
  readonly autoAssign: boolean;
  /** Gives nothing new; what it gave stays. */
  readonly disabled: boolean;
}

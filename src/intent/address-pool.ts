/** A pool of addresses from which Services of type LoadBalancer are served. */
import type { IpRange } from "../net/ip-range.ts";
import type { Labels, Selector } from "./selector.ts";

export interface PoolBlock extends IpRange {
  /** Written as a CIDR: its first and last address may be held back. */
  readonly fromCidr: boolean;
  /** As the operator wrote it, for messages. */
  readonly text: string;
}

export interface AddressPool {
  readonly name: string;
  readonly labels: Labels;
  /** Milliseconds since the epoch; `null` for one that no API server has stored. */
  readonly createdAtMilliseconds: number | null;
  /** In the order of the operator, which is the order of allocation. */
  readonly blocks: readonly PoolBlock[];
  /** `null` takes every Service. */
  readonly serviceSelector: Selector | null;
  readonly allowFirstLastAddresses: boolean;
  /** Gives nothing new; what it gave stays. */
  readonly disabled: boolean;
}

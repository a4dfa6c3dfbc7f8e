/** Which addresses are answered for on a link (ARP, NDP), by which nodes and on which of their interfaces. */
import type { Dialect } from "./dialect.ts";
import type { Selector } from "./selector.ts";

/** An interface by its name, or by an expression that must match somewhere in it. */
export interface InterfaceChoice {
  /** As the operator wrote it. */
  readonly text: string;
  /** The expression in JavaScript's syntax; `null` where `text` is the whole name. */
  readonly expression: string | null;
}

/** Nodes that are to be preferred, by the sum of the weights that select them. */
export interface NodePreference {
  readonly weight: number;
  readonly selector: Selector;
}

/** What cannot be understood in a policy, which then has no effect; said in a condition of the policy. */
export type L2Fault = "bad-service-selector" | "bad-node-selector" | "bad-interface-regex";

export interface L2Policy {
  /** `Kind/name`, for conditions and problems. */
  readonly object: string;
  readonly dialect: Dialect;
  /** One of them must match; `null` is every node. */
  readonly nodeSelectors: readonly Selector[] | null;
  /** One of them must match; `null` is every Service. */
  readonly serviceSelectors: readonly Selector[] | null;
  readonly loadBalancerAddresses: boolean;
  readonly externalAddresses: boolean;
  /** Only addresses of these pools; `null` is any address. */
  readonly pools: readonly string[] | null;
  /** One of them must fit; `null` is every interface. */
  readonly interfaces: readonly InterfaceChoice[] | null;
  readonly preferences: readonly NodePreference[];
  /** A sentence on each. */
  readonly faults: Readonly<Partial<Record<L2Fault, string>>>;
}

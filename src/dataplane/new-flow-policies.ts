/**
 * Who is asked about a flow before it opens: the policies of its VIP, in the order of their numbers. The room `policy`
 * has what answers; the pipeline only knows this much, so that a gateway without policies pays for none.
 */

/** At most so many policies on one node: a VIP's are the bits of one word. */
export const MAX_POLICIES = 31;

/** Bits of a row's state word that hold the number of the policy which decided about the flow, from 1; 0 for none. */
export const STATE_POLICY_SHIFT = 24;

export interface NewFlowPolicies {
  /** What the last answer came to: the VIP whose backend takes the flow, */
  readonly vip: number;
  /** the backend, or `NO_BACKEND` for the one that balancing says, */
  readonly backend: number;
  /** and the number of the policy that decided so, from 1; 0 when none did. */
  readonly policy: number;
  /** @returns whether the flow may open. */
  ask(i: number, vip: number): boolean;
}

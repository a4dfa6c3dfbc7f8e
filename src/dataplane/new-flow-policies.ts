/**
 * Who is asked about a flow before it opens: the policies of its VIP, in the order of their numbers. The room `policy`
 * has what answers; the pipeline only knows this much, so that a gateway without policies pays for none.
 */

/** At most so many policies on one node: a VIP's are the bits of one word. */
export const MAX_POLICIES = 31;

export interface NewFlowPolicies {
  /** What the last answer came to: the VIP whose backend takes the flow, */
  readonly vip: number;
  /** the backend, or `NO_BACKEND` for the one that balancing says, */
  readonly backend: number;
  /** whether it is forwarded by NAT although its VIP says direct server return, */
  readonly byNat: boolean;
  /** whether all of its frames are to be seen by those who watch, */
  readonly watched: boolean;
  /** and the number of the policy that decided so, from 1; 0 when none did. */
  readonly policy: number;
  /** @returns whether the flow may open. */
  ask(i: number, vip: number): boolean;
}

/**
 * The parts of the work that Sluice does in a cluster; what it does not do is somebody else's. MetalLB announcing while
 * Sluice forwards is `{ bgp: false, l2: false }`: the policies are still there, for the one who follows them.
 */
import type { BgpPolicy } from "../intent/bgp-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { L2Policy } from "../intent/l2-policy.ts";

export interface Parts {
  readonly bgp: boolean;
  readonly l2: boolean;
  /** False where kube-proxy or a CNI forwards what is announced here. */
  readonly forwarding: boolean;
}

// The same lists each time: what did not change is recognised by being the same object.
const NO_BGP_POLICIES: readonly BgpPolicy[] = [];
const NO_L2_POLICIES: readonly L2Policy[] = [];

/** The intent without the policies that are another's to follow. */
export function withParts(intent: Intent, { bgp, l2 }: Omit<Parts, "forwarding">): Intent {
  if (bgp && l2) return intent;
  return {
    ...intent,
    bgpPolicies: bgp ? intent.bgpPolicies : NO_BGP_POLICIES,
    l2Policies: l2 ? intent.l2Policies : NO_L2_POLICIES,
  };
}

/** What one node is to do, computed from the Intent: the only thing that the running process carries out. */
import type { SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";

export interface NodePlan {
  readonly forwarding: ForwardingSpec;
  readonly bgp: SpeakerSpec;
}

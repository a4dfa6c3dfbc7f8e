/**
 * What `sluice monitor`, the status page and the comments of `sluice capture` say of one frame: where it came in, what it
 * was, what became of it and why. One line of JSON each; names instead of ids.
 */
import type { DropReasonName } from "../dataplane/drop-reason.ts";

export const FRAME_VERDICTS = ["forwarded", "answered", "held", "dropped", "passed"] as const;
/**
 * `answered`: by a frame of the gateway's own. `held`: until the next hop's MAC or the packet's first fragment is known, and
 * then told again. `passed`: left to the node's kernel, for it is not ours.
 */
export type FrameVerdict = (typeof FRAME_VERDICTS)[number];

/** Of a policy that was asked about the frame's flow, when this frame opened it; else only which one has decided. */
export interface PolicyDecision {
  readonly policy: string;
  /** `null` for a frame of a flow that is open already. */
  readonly answer: string | null;
  /** For which it denied. */
  readonly reason: string | null;
}

/** Addresses with ports, as in `192.0.2.1:80`; without them where there are none. */
export interface FrameEnds {
  readonly source: string;
  readonly destination: string;
}

export interface FrameEvent extends FrameEnds {
  /** Milliseconds since 1970, with a fraction. */
  readonly time: number;
  /** The interface that it came in by, `null` when that is not known (what the kernel has sent on). */
  readonly port: string | null;
  /** `null` when it has not been sent. */
  readonly leavesBy: string | null;
  /** Who has decided about it. The kernel's are samples. */
  readonly by: "worker" | "kernel";
  /** This event stands for so many frames. */
  readonly standsFor: number;
  /** From a client or to one; `null` for what is part of no flow. */
  readonly direction: "request" | "reply" | null;
  /** Address of the client; of the sender, where the frame is part of no flow. */
  readonly client: string | null;
  /** `TCP`, `ARP`, `ICMP`, or the number. */
  readonly protocol: string;
  /** Of TCP, a letter each: `S`, `SA`, `FA`; `null` for others. */
  readonly flags: string | null;
  readonly lengthBytes: number;
  readonly verdict: FrameVerdict;
  /** `null` for what was forwarded. */
  readonly reason: DropReasonName | null;
  /** NAMESPACE/NAME; `null` when it is of none. */
  readonly service: string | null;
  readonly backend: string | null;
  readonly policy: PolicyDecision | null;
  /** A policy wants all frames of its flow to be seen. */
  readonly captured: boolean;
  /** As it was sent on. */
  readonly becomes: FrameEnds | null;
}

/** What happens to the agreement, and what follows from it. */
import type { Heartbeat } from "./heartbeat.ts";

export interface PlannedVip {
  readonly vip: string;
  /** Names of the nodes that may own it, as configuration and endpoints say. */
  readonly candidates: readonly string[];
  /** Those that an operator prefers; empty for none in particular. */
  readonly preferred?: readonly string[];
}

/** A message of which nothing is new but its number, and that it came. */
export interface SignOfLife {
  readonly from: string;
  readonly session: number;
  readonly sequence: number;
  readonly at: number;
}

/**
 * What a node says again and again, and expects to hear, as long as nothing else happens. It may be done without the agreement,
 * which is told of it afterwards: when anything else comes, when a member would be missed before the next beat, and in time. Moments
 * by the clock of the steps.
 */
export interface Rest {
  /** In this order; of each only the sequence number changes, which grows from one datagram to the next. */
  readonly messages: readonly { readonly to: readonly string[]; readonly message: Heartbeat }[];
  /** Of the last one that was said. */
  readonly sequence: number;
  /** When they are due next, and each time how long after that. */
  readonly next: number;
  readonly every: number;
  /** Of each living member the latest. */
  readonly signs: readonly SignOfLife[];
  /** Others may come back at any time: what has come is looked at with each beat. */
  readonly awaits: boolean;
  /** The shortest silence by which one of them is missed. */
  readonly patience: number;
  /** The first beat from then on is the last. */
  readonly until: number;
  /** A beat so much later than the one before must not be: this node may be taken for dead. */
  readonly dead: number;
}

/** What has come of it. */
export interface Rested {
  /** Of members that were heard since, the latest of each. */
  readonly signs: readonly SignOfLife[];
  readonly sequence: number;
  readonly next: number;
  /** When this node was at it for the last time, in time. */
  readonly lived: number;
}

export type AgreementEvent =
  /** Time has passed: several times per heartbeat, so that deaths are noticed soon. */
  | { readonly type: "tick" }
  /** `at` is when it came, by the clock of the steps: it may have waited since. */
  | { readonly type: "message"; readonly message: Heartbeat; readonly at: number }
  /** Messages that say what the latest one of their senders has said too. */
  | { readonly type: "again"; readonly signs: readonly SignOfLife[] }
  | ({ readonly type: "rested" } & Rested)
  /** What is to be owned, and by whom. Only what this node already serves. */
  | { readonly type: "plan"; readonly members: readonly string[]; readonly vips: readonly PlannedVip[] }
  /** What this node can't own, or not well, and the MACs that it answers with. */
  | {
      readonly type: "ability";
      readonly refused: readonly string[];
      readonly poor: readonly string[];
      readonly macs: readonly number[];
    }
  /** Addresses of others that this node asked for on the link in vain. */
  | { readonly type: "unseen"; readonly vips: readonly string[] }
  /** Addresses with live flows here. */
  | { readonly type: "busy"; readonly vips: ReadonlySet<string> }
  /** An operator wants an address elsewhere. */
  | { readonly type: "move"; readonly vip: string; readonly to: string }
  /** Work on the node, or its end: everything is handed over, until it is off again. */
  | { readonly type: "drain"; readonly on: boolean };

export interface Owner {
  readonly node: string;
  readonly term: number;
  readonly state: "owned" | "moving";
}

/**
 * - `first`: nobody had it.
 * - `takeover`: its owner died.
 * - `handover`: its owner gave it.
 * - `reclaim`: it was given to somebody who did not take it.
 */
export type AnswerCause = "first" | "takeover" | "handover" | "reclaim";

export type AgreementEffect =
  | {
      readonly type: "answer";
      readonly vip: string;
      readonly cause: AnswerCause;
      readonly previous: string | null;
      /** Since the dead owner's last sign of life; `null` where none died. */
      readonly silentMilliseconds: number | null;
    }
  | { readonly type: "silence"; readonly vip: string; readonly because: string }
  | { readonly type: "send"; readonly to: readonly string[]; readonly message: Heartbeat };

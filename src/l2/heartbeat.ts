/**
 * What nodes tell each other, five times a second: that they live, and whom they hear. What they claim goes along only for
 * those who have not confirmed it yet. Plain data; heartbeat-codec.ts has the bytes.
 */

/** A node says that it answers for an address. */
export interface Claim {
  readonly vip: string;
  /** Grows with each change of owner. */
  readonly term: number;
  /** Made or held where less than half of the members could be heard, so the other part may know better. */
  readonly weak: boolean;
  /** Put here by an operator: it is not moved to balance. */
  readonly pinned: boolean;
}

/** An owner has stopped answering for an address so that another begins. */
export interface Handover {
  readonly vip: string;
  readonly term: number;
  readonly to: string;
  readonly pinned: boolean;
}

/** Everything about addresses that a node has to say. It is sent whole, and has a version. */
export interface Statement {
  readonly claims: readonly Claim[];
  readonly handovers: readonly Handover[];
  /** Planned for this node, which can't: no link, no such interface, another station defends it. */
  readonly refused: readonly string[];
  /** It could, but does not reach the gateway there: better than nobody. */
  readonly poor: readonly string[];
  /** MACs that it answers with: 48 bits each. */
  readonly macs: readonly number[];
  /** Claimed by others, asked for on the link by this node, and not answered for. */
  readonly unseen: readonly string[];
}

export const EMPTY_STATEMENT: Statement = { claims: [], handovers: [], refused: [], poor: [], macs: [], unseen: [] };

/** What the sender knows of another member. */
export interface Heard {
  readonly node: string;
  /** Of the member's process, as the sender last saw it: the proof that this message is no replay of an old one. */
  readonly session: number;
  /** Version of the member's statement that the sender has. */
  readonly version: number;
  /** It comes and goes too often: the sender would rather not see it own anything new. */
  readonly held: boolean;
}

/** An operator wants an address elsewhere; whoever owns it obeys. */
export interface MoveRequest {
  readonly vip: string;
  readonly to: string;
}

export interface Heartbeat {
  readonly from: string;
  /** Random, drawn when the process began: 48 bits. */
  readonly session: number;
  /** Grows with each message of the session. */
  readonly sequence: number;
  /** Carries traffic by a configuration. */
  readonly ready: boolean;
  /** On its way out. */
  readonly draining: boolean;
  /** Silence after which others should take its sender for dead; `null` from versions that do not say so. */
  readonly patienceMilliseconds: number | null;
  /** Those who get this, as far as they are known, and those that are held down. */
  readonly heard: readonly Heard[];
  readonly version: number;
  /** `null` where all who get this have it, so that it can wait until they look. */
  readonly statement: Statement | null;
  readonly moves: readonly MoveRequest[];
}

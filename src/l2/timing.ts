/**
 * How fast the agreement works. Nodes may differ in their heartbeats, while these are changed one node after the other: each says
 * how long a silence of its own means that it is dead, and the others go by that.
 */

export interface Timing {
  readonly heartbeatMilliseconds: number;
  /** Heartbeats missed until a node is taken for dead. */
  readonly misses: number;
  /** A member that has come must stay this long before addresses are moved to it, and nothing may have changed since. */
  readonly settleMilliseconds: number;
  /** What is remembered of a member's deaths. */
  readonly flapWindowMilliseconds: number;
  /** For how long a member that died twice in the window gets nothing; doubled with each further death. */
  readonly holdDownMilliseconds: number;
}

export const DEFAULT_TIMING: Timing = {
  heartbeatMilliseconds: 200,
  misses: 3,
  settleMilliseconds: 2000,
  flapWindowMilliseconds: 60_000,
  holdDownMilliseconds: 10_000,
};

/** Silence that may cost a node what it owns: who was stopped for so long believes nothing that it knew. */
export function deadAfterMilliseconds({ heartbeatMilliseconds, misses }: Timing): number {
  return heartbeatMilliseconds * misses;
}

/** Silence after which others are to take a node for dead. A sender's timers are late at times: its last chance counts as one. */
export function missedAfterMilliseconds(timing: Timing): number {
  return deadAfterMilliseconds(timing) + timing.heartbeatMilliseconds / 4;
}

/** For so long a node hears the others before it claims anything: each that lives has spoken by then. */
export function listeningMilliseconds(timing: Timing): number {
  return deadAfterMilliseconds(timing) + timing.heartbeatMilliseconds;
}

/**
 * How long it may take at most until time is told to the agreement again. At rest nothing wakes the thread but our own
 * heartbeat: what wakes it more often costs more than what it would find.
 */
export function pauseMilliseconds({ heartbeatMilliseconds }: Timing, isRestless: boolean): number {
  return isRestless ? Math.min(heartbeatMilliseconds / 4, 50) : Math.min(heartbeatMilliseconds, 200);
}

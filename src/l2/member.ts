/**
 * What this node knows of one other member: whether it lives, what it claims, how often it has died.
 *
 * A message counts only when it names our session, which is drawn anew by each process: so no message from before we
 * started can be played to us again. Within our session the sender's numbers must grow, and a session of the sender that
 * was followed by another never comes back.
 */
import type { SignOfLife } from "./event.ts";
import { type Claim, EMPTY_STATEMENT, type Handover, type Heartbeat, type Statement } from "./heartbeat.ts";
import { missedAfterMilliseconds, type Timing } from "./timing.ts";

/** Sessions of a member that are remembered as past; more restarts than this within our own life are not imagined. */
const PAST_SESSIONS = 256;
const NOBODY: ReadonlySet<string> = new Set();
const MOST_DOUBLINGS = 4;

/**
 * - `news`: it lives, and something about it is new.
 * - `known`: it lives, and nothing else is new.
 * - `introduction`: it does not know us yet, so it proves nothing; an answer makes it know us.
 * - `refused`: old, or played again.
 */
export type Reception = "news" | "known" | "introduction" | "refused";

export class Member {
  readonly name: string;
  alive = false;
  session = 0;
  claims: ReadonlyMap<string, Claim> = new Map();
  handovers: ReadonlyMap<string, Handover> = new Map();
  refused: ReadonlySet<string> = new Set();
  poor: ReadonlySet<string> = new Set();
  unseen: ReadonlySet<string> = new Set();
  /** Kept from one session to the next: conflicts are judged by them. */
  macs: readonly number[] = [];
  /** Version of its statement that we have; -1 for none of this session. */
  version = -1;
  /** The one that it has now. */
  currentVersion = -1;
  /** Since when its statement is known to be another than the one we have. */
  staleSince = 0;
  /** The version of ours that it has. */
  hasOfUs = -1;
  ready = false;
  draining = false;
  /** Nodes that it would rather not see own anything new: ourselves too. */
  holds: ReadonlySet<string> = new Set();
  lastHeard = Number.NEGATIVE_INFINITY;
  /** Silence after which it is dead, as it says itself: it may beat at another pace than we do. `null` where it does not say. */
  #patience: number | null = null;
  aliveSince = Number.NEGATIVE_INFINITY;
  heldUntil = Number.NEGATIVE_INFINITY;
  #sequence = -1;
  #deaths: number[] = [];
  readonly #past = new Set<number>();

  constructor(name: string) {
    this.name = name;
  }

  /** Whether its claims are as it makes them now. */
  get isCurrent(): boolean {
    return this.version === this.currentVersion;
  }

  isHeld(now: number): boolean {
    return now < this.heldUntil;
  }

  receive(
    message: Heartbeat,
    us: { readonly name: string; readonly session: number },
    timing: Timing,
    { at, now }: { readonly at: number; readonly now: number },
  ): Reception {
    if (this.#past.has(message.session)) return "refused";
    const ofUs = message.heard.find(({ node }) => node === us.name);
    const knowsUs = ofUs !== undefined && ofUs.session === us.session;
    if (message.session !== this.session) {
      // Somebody who does not know us may be a recording: it is answered, but what is known stays.
      if (!knowsUs) return "introduction";
      // A process that restarts within the time that its heartbeats allow has died all the same.
      if (this.alive) this.#die(timing, now);
      this.#begin(message.session);
    } else if (message.sequence <= this.#sequence) {
      return "refused";
    }
    if (!knowsUs) return "introduction";
    this.#sequence = message.sequence;
    this.lastHeard = Math.max(this.lastHeard, at);
    this.#patience = message.patienceMilliseconds;
    let news = !this.alive;
    if (!this.alive) {
      this.alive = true;
      this.aliveSince = now;
    }
    const holds = heldIn(message);
    news ||= this.ready !== message.ready || this.draining !== message.draining;
    news ||= holds.size !== this.holds.size || [...holds].some((name) => !this.holds.has(name));
    news ||= this.currentVersion !== message.version;
    this.ready = message.ready;
    this.draining = message.draining;
    this.holds = holds;
    this.hasOfUs = ofUs.version;
    if (this.isCurrent && this.currentVersion !== message.version) this.staleSince = now;
    this.currentVersion = message.version;
    if (message.statement !== null && this.version !== message.version) {
      this.#take(message.statement);
      this.version = message.version;
      news = true;
    }
    return news ? "news" : "known";
  }

  /** It has said once more what it said last. @returns whether it counts. */
  again({ session, sequence, at }: SignOfLife): boolean {
    if (!this.isIn(session) || sequence <= this.#sequence) return false;
    this.#sequence = sequence;
    this.lastHeard = Math.max(this.lastHeard, at);
    return true;
  }

  /** It lives, in that session. */
  isIn(session: number): boolean {
    return this.alive && session === this.session;
  }

  /** The latest that was heard of it. */
  get sign(): SignOfLife {
    return { from: this.name, session: this.session, sequence: this.#sequence, at: this.lastHeard };
  }

  /** Silence after which it counts as dead, unless something of it waits to be read. */
  patience(timing: Timing): number {
    return this.#patience ?? missedAfterMilliseconds(timing);
  }

  missedAt(timing: Timing): number {
    return this.lastHeard + this.patience(timing);
  }

  /** @returns whether it has just died. */
  expire(timing: Timing, now: number): boolean {
    if (!this.alive || now < this.missedAt(timing)) return false;
    this.#die(timing, now);
    return true;
  }

  /** What was heard of it is too old to be believed, but that is our fault: it is not counted as a death. */
  forget(): void {
    this.alive = false;
    this.holds = new Set();
  }

  #begin(session: number): void {
    if (this.session !== 0) {
      this.#past.add(this.session);
      if (this.#past.size > PAST_SESSIONS) this.#past.delete(this.#past.values().next().value!);
    }
    this.session = session;
    this.#sequence = -1;
    this.#take({ ...EMPTY_STATEMENT, macs: this.macs });
    this.version = -1;
    this.currentVersion = -1;
    this.hasOfUs = -1;
  }

  #take({ claims, handovers, refused, poor, macs, unseen }: Statement): void {
    this.claims = new Map(claims.map((claim) => [claim.vip, claim]));
    this.handovers = new Map(handovers.map((handover) => [handover.vip, handover]));
    this.refused = new Set(refused);
    this.poor = new Set(poor);
    this.macs = macs;
    this.unseen = new Set(unseen);
  }

  #die(timing: Timing, now: number): void {
    this.alive = false;
    this.holds = new Set();
    // Who goes on purpose says so before.
    if (this.draining) return;
    this.#deaths = [...this.#deaths.filter((at) => now - at < timing.flapWindowMilliseconds), now];
    if (this.#deaths.length < 2) return;
    const doublings = Math.min(this.#deaths.length - 2, MOST_DOUBLINGS);
    this.heldUntil = now + timing.holdDownMilliseconds * 2 ** doublings;
  }
}

function heldIn({ heard }: Heartbeat): ReadonlySet<string> {
  return heard.some(({ held }) => held) ? new Set(heard.filter(({ held }) => held).map(({ node }) => node)) : NOBODY;
}

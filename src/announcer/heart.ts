/**
 * The agreement among the nodes, kept going: it is told the time and what others say, and what it says is sent.
 *
 *   news ─────────────┐              ┌─> what is to be answered for, or no longer
 *   time, by a pulse ─┼─> agreement ─┼─> heartbeats
 *   the end of a rest ┘              └─> a rest: heartbeats go on without it while nothing happens
 *
 * Whatever else happens ends the rest first, so that the agreement never takes a step with an old view.
 */
import { OwnerAgreement } from "../l2/agreement.ts";
import type { AgreementEffect, AgreementEvent } from "../l2/event.ts";
import type { Timing } from "../l2/timing.ts";
import { type HeartbeatEars, HeartbeatSockets, type OwnAddresses } from "./heartbeat-sockets.ts";
import { Pulse } from "./pulse.ts";

export type OwnEffect = Exclude<AgreementEffect, { readonly type: "send" }>;

export interface HeartSetup {
  readonly node: string;
  /** Random, 48 bits. */
  readonly session: number;
  readonly timing: Timing;
  /** Of the heartbeats, which there are none without. */
  readonly key: Uint8Array | null;
  readonly port: number;
  readonly own?: OwnAddresses;
}

/** Whom the heart beats for. Moments by `performance.now()`. */
export interface HeartOwner {
  /** Where a node hears heartbeats; `undefined` where that is not known. */
  addressOf(node: string): string | undefined;
  /** What follows from a step, be it nothing, in order, and before anybody is told of it. */
  carryOut(effects: readonly OwnEffect[]): void;
  /** Time to hear what was said meanwhile, and to step: at each heartbeat, or more often; in a rest now and then. */
  tick(): void;
  /** When it has to be told the time for reasons of its own. */
  next(): number;
  /** The same for what bears to wait for the heartbeat after it. */
  restsUntil(now: number): number;
  /** Descriptors that it reads in a tick: a rest ends when there is something to read. */
  readonly watched: readonly number[];
}

export class Heart {
  readonly agreement: OwnerAgreement;
  sockets: HeartbeatSockets | null = null;
  readonly #setup: HeartSetup;
  readonly #owner: HeartOwner;
  readonly #pulse: Pulse;
  #isResting = false;

  constructor(setup: HeartSetup, owner: HeartOwner) {
    this.#setup = setup;
    this.#owner = owner;
    this.agreement = new OwnerAgreement(setup.node, setup.session, setup.timing, performance.now());
    const next = (now: number) =>
      this.#isResting ? Number.POSITIVE_INFINITY : Math.min(this.agreement.nextDeadline(now), owner.next());
    this.#pulse = new Pulse(next, () => this.#beat());
  }

  /** @throws in words where the port of the heartbeats is taken. */
  start(): void {
    const { agreement } = this;
    const { key, port, own } = this.#setup;
    if (key !== null) {
      const ears: HeartbeatEars = {
        session: () => agreement.session,
        take: (message, at) => this.step({ type: "message", message, at }),
        hasHeard: (name, at) => agreement.hasHeard(name, at),
        livesIn: (name, session) => agreement.livesIn(name, session),
        again: (signs) => this.step({ type: "again", signs }),
        rested: () => this.#pulse.fire(),
      };
      this.sockets = new HeartbeatSockets(key, port, ears, own);
    }
    this.#pulse.follow();
  }

  step(event: AgreementEvent): void {
    this.#endRest();
    this.#take(event);
    this.#pulse.follow();
  }

  /** Hears what is no news, where it can wait no longer. */
  hear(): void {
    if (this.sockets?.hasUnread || this.agreement.mustHear(performance.now())) this.sockets?.look();
  }

  /** Ends a rest, so that what is known of the members is of now. */
  catchUp(): void {
    this.#endRest();
    this.#pulse.follow();
  }

  close(): void {
    this.#endRest();
    this.#pulse.end();
    this.sockets?.close();
  }

  #beat(): void {
    this.#endRest();
    this.#owner.tick();
    this.#isResting = this.#beginsRest();
  }

  #beginsRest(): boolean {
    const { sockets } = this;
    const now = performance.now();
    const rest = sockets === null ? null : this.agreement.rest(now);
    if (sockets === null || rest === null) return false;
    const until = Math.min(rest.until, this.#owner.restsUntil(now));
    if (until <= rest.next || this.#owner.next() <= rest.next) return false;
    return sockets.rest({ ...rest, until }, (node) => this.#owner.addressOf(node), this.#owner.watched, now);
  }

  #endRest(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    const rested = this.sockets!.wake();
    if (rested !== null) this.#take({ type: "rested", ...rested });
  }

  #take(event: AgreementEvent): void {
    const effects = this.agreement.step(event, performance.now());
    // Who hands an address over is silent before the new owner hears of it.
    this.#owner.carryOut(effects.filter((effect) => effect.type !== "send"));
    for (const effect of effects) {
      if (effect.type !== "send") continue;
      const addresses = effect.to.flatMap((node) => this.#owner.addressOf(node) ?? []);
      this.sockets?.send(effect.message, addresses);
    }
  }
}

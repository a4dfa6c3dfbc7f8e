/**
 * Which node answers ARP and NDP for which address: agreed between the nodes alone, without a leader and without an API
 * server. State, event and time in; who owns what, and effects, out. Pure.
 *
 * Each node says in its heartbeats what it claims. An address that no living node claims goes to the node that
 * `assignOwners` names, which every node computes from the same facts, so one of them claims it and the others expect that.
 * Where views differ two may claim; each claim has a rank, and the lower one is given up as soon as its maker hears of the
 * other. An owner keeps what it has (it is sticky) until it can't, is told to move it, or owns two more than another.
 *
 * A handover silences the old owner before the new one begins, so that at no time two answer; frames that still reach the
 * old one are forwarded as before, which is not this file's business.
 *
 * - Claims of a part that hears less than half of the members are weak, and lose against the others when both parts meet:
 *   who flaps comes back with nothing, whatever it took for itself meanwhile.
 * - Who was stopped for longer than it takes to be declared dead gives everything up before it does anything else.
 * - Who claims nothing of what it should own is passed over after a while: its view may differ for ever.
 */
import { movesToBalance } from "./balance.ts";
import { Candidacy } from "./candidacy.ts";
import type { AgreementEffect, AgreementEvent, AnswerCause, Owner, PlannedVip, Rest } from "./event.ts";
import type { Claim, Heartbeat, MoveRequest, Statement } from "./heartbeat.ts";
import { Holdings } from "./holdings.ts";
import type { Member } from "./member.ts";
import { assignOwners, leastLoaded, type Unowned } from "./rendezvous.ts";
import { outranks, Roll } from "./roll.ts";
import { Standing } from "./standing.ts";
import { type Present, Telling } from "./telling.ts";
import { deadAfterMilliseconds, pauseMilliseconds, type Timing } from "./timing.ts";

export class OwnerAgreement {
  readonly name: string;
  /** Changes when this node was away: what was said to it before then counts no longer, wherever it was kept. */
  session: number;
  readonly timing: Timing;
  readonly roll: Roll;
  readonly #telling: Telling;
  readonly #candidacy: Candidacy;
  readonly #holdings = new Holdings();
  readonly #standing: Standing;
  #macs: readonly number[] = [];
  #unseen: readonly string[] = [];
  #busy: ReadonlySet<string> = new Set();
  #isPlanned = false;
  #lastStep: number;
  #changedAt: number;
  /** Nothing may have happened, and yet times have passed. */
  #nextReview: number;
  #unsettled = true;
  /** There may be addresses that nobody owns. */
  #seeks = true;
  #effects: AgreementEffect[] = [];

  /** @param session random, 48 bits, drawn anew by each process. */
  constructor(name: string, session: number, timing: Timing, now: number) {
    this.name = name;
    this.session = session;
    this.timing = timing;
    this.roll = new Roll(name);
    this.#candidacy = new Candidacy(this.roll, timing);
    this.#telling = new Telling(this.roll, timing, now);
    this.#lastStep = now;
    this.#changedAt = now;
    this.#nextReview = now;
    this.#standing = new Standing(this.roll, timing, now);
  }

  /** What this node answers for. */
  get claims(): ReadonlyMap<string, Claim> {
    return this.#holdings.claims;
  }

  /** Nothing is left to hand over. */
  get isEmpty(): boolean {
    return this.#holdings.isEmpty;
  }

  /** Who owns an address, as this node sees it; `null` for nobody. */
  ownerOf(vip: string): Owner | null {
    const own = this.claims.get(vip);
    if (own !== undefined) return { node: this.name, term: own.term, state: "owned" };
    const rival = this.roll.bestClaim(vip);
    if (rival !== null) return { node: rival.member.name, term: rival.claim.term, state: "owned" };
    const handed = this.#holdings.handing.get(vip) ?? this.roll.handoverOf(vip);
    return handed == null ? null : { node: handed.to, term: handed.term, state: "moving" };
  }

  /**
   * Until when time need not be told if nothing else happens: our next heartbeat, the moment in which somebody would be missed,
   * or soon, while something is to be settled.
   */
  nextDeadline(now: number): number {
    const pause = pauseMilliseconds(this.timing, this.#isRestless);
    return Math.min(now + pause, this.#telling.nextHeartbeat, this.roll.nextMiss(this.timing));
  }

  /**
   * Whether messages that only say that a node lives can wait no longer: until our next heartbeat somebody could be missed, or
   * somebody has yet to confirm what we have said, or to come back.
   */
  mustHear(now: number): boolean {
    if (this.#isRestless || this.roll.nextMiss(this.timing) <= now + this.timing.heartbeatMilliseconds) return true;
    return !this.roll.allHave(this.#telling.version);
  }

  /** Whether a member is known to have lived at a moment, or later. */
  hasHeard(name: string, at: number): boolean {
    const member = this.roll.members.get(name);
    return member?.alive === true && member.lastHeard >= at;
  }

  /** Whether what a member says again in a session can be taken for a mere sign of life. */
  livesIn(name: string, session: number): boolean {
    return this.roll.members.get(name)?.isIn(session) ?? false;
  }

  get #isRestless(): boolean {
    return this.#unsettled || this.#seeks;
  }

  step(event: AgreementEvent, now: number): AgreementEffect[] {
    this.#effects = [];
    if (event.type === "rested") this.#lastStep = this.#telling.rested(event);
    if (now - this.#lastStep >= deadAfterMilliseconds(this.timing)) this.#wasAway(now);
    this.#lastStep = now;
    this.#take(event, now);
    const isTick = event.type === "tick";
    for (const member of isTick ? this.roll.members.values() : []) {
      if (member.expire(this.timing, now)) this.#changed(now);
    }
    if (this.#unsettled || (isTick && (this.#seeks || now >= this.#nextReview))) this.#evaluate(now, isTick);
    if (!this.#telling.isDue(now)) return this.#effects;
    return this.#effects.concat(this.#telling.due(this.#present, now));
  }

  /** How to go on without steps while nothing happens; `null` while something does. The next step is the one that ends it. */
  rest(now: number): Rest | null {
    return this.#isRestless ? null : this.#telling.rest(this.#present, this.#nextReview, now);
  }

  get #present(): Present {
    const ready = this.#isPlanned && !this.#standing.isListening;
    return { session: this.session, ready, draining: this.#candidacy.draining, statement: () => this.#statement() };
  }

  #take(event: AgreementEvent, now: number): void {
    switch (event.type) {
      case "tick":
        return;
      case "message":
        this.#receive(event.message, event.at, now);
        return;
      case "again":
      case "rested":
        for (const sign of event.signs) {
          const member = this.roll.members.get(sign.from);
          if (member?.again(sign)) this.#answerLack(member, now);
        }
        return;
      case "plan":
        this.#plan(event.members, event.vips);
        this.#changed(now);
        return;
      case "ability":
        if (this.#candidacy.refuse(new Set(event.refused))) this.#standing.listenAnew(now);
        this.#candidacy.poor = new Set(event.poor);
        this.#macs = event.macs;
        this.#restate(now);
        return;
      case "unseen":
        this.#unseen = event.vips;
        this.#telling.renew();
        return;
      case "busy":
        this.#busy = event.vips;
        return;
      case "move":
        if (!this.#obey(event, now)) this.#telling.wish(event, now);
        return;
      case "drain":
        this.#candidacy.draining = event.on;
        this.#restate(now);
        return;
    }
  }

  #plan(members: readonly string[], vips: readonly PlannedVip[]): void {
    this.roll.set(members);
    this.#isPlanned = true;
    this.#candidacy.plan(vips);
  }

  #receive(message: Heartbeat, at: number, now: number): void {
    const member = this.roll.members.get(message.from);
    if (member === undefined) return;
    const reception = member.receive(message, this, this.timing, { at, now });
    if (reception === "refused") return;
    if (reception === "introduction") {
      // It learns from the answer that we know it; until it says so itself, it may be a recording.
      this.#telling.urge(member, message.session, now);
      return;
    }
    for (const { vip, to } of message.moves) this.#obey({ vip, to }, now);
    if (reception === "news") {
      for (const { vip, term } of [...member.claims.values(), ...member.handovers.values()])
        this.#holdings.noteTerm(vip, term);
      this.#changed(now);
    }
    this.#answerLack(member, now);
  }

  #answerLack(member: Member, now: number): void {
    if (member.hasOfUs !== this.#telling.version || !member.isCurrent) this.#telling.urge(member, null, now);
  }

  /** Somebody may have taken over from us while we could not notice; nobody is believed to live before they say so. */
  #wasAway(now: number): void {
    for (const vip of [...this.claims.keys()]) this.#giveUp(vip, "this node was stopped for too long", now);
    this.#holdings.forgetHandovers();
    for (const member of this.roll.members.values()) member.forget();
    this.session++;
    this.#standing.listenAnew(now);
    this.#restate(now);
  }

  #evaluate(now: number, isTick: boolean): void {
    this.#unsettled = false;
    this.#nextReview = now + this.timing.settleMilliseconds / 2;
    if (this.#standing.review(this.claims.size === 0, now)) this.#restate(now);
    if (this.#standing.isPassing) this.#unsettled = true;
    this.#weigh(now);
    this.#keepOrGive(now);
    this.#finishHandovers(now);
    this.#acceptHandovers(now);
    // All addresses are looked at for this, so it is not done for each message.
    if (isTick && this.#seeks) this.#claimUnowned(now);
    if (now - this.#changedAt >= this.timing.settleMilliseconds) this.#balance(now);
  }

  /** Whether what we claim is meant by most of the members. */
  #weigh(now: number): void {
    const { isStrong, isSettled } = this.#standing;
    for (const claim of this.claims.values()) {
      const weak = this.#candidacy.poor.has(claim.vip) || (isStrong ? claim.weak && !isSettled : true);
      if (this.#holdings.weigh(claim, weak)) this.#restate(now);
    }
  }

  #keepOrGive(now: number): void {
    for (const [vip, claim] of this.claims) {
      const rival = this.roll.bestClaim(vip);
      // An old claim of a node that has since said something else is no reason to leave an address to nobody.
      if (rival?.member.isCurrent && outranks(rival.claim, rival.member.name, claim, this.name)) {
        this.#giveUp(vip, `${rival.member.name} owns it`, now);
      } else if (this.#candidacy.refused.has(vip)) {
        this.#giveUp(vip, "this node can't answer for it now", now);
      } else if (!this.#candidacy.isPlannedHere(vip)) {
        this.#giveUp(vip, "this node may no longer own it", now);
      } else if (this.#candidacy.draining || this.#candidacy.poor.has(vip)) {
        const to = leastLoaded(vip, this.#candidacy.takers(vip, now), this.#load());
        if (to !== null) this.#handOver(claim, to, false, now);
        else if (this.#candidacy.draining) this.#giveUp(vip, "this node ends", now);
      }
    }
  }

  #finishHandovers(now: number): void {
    for (const [vip, handing] of this.#holdings.handing) {
      const taken = this.roll.bestClaim(vip);
      if (taken !== null && taken.claim.term > handing.term) {
        this.#holdings.endHandover(vip);
        this.#restate(now);
        continue;
      }
      const target = this.roll.members.get(handing.to);
      const isHopeless = target === undefined || !target.alive || target.refused.has(vip);
      this.#unsettled = true;
      if (!isHopeless && now - handing.since < deadAfterMilliseconds(this.timing)) continue;
      this.#holdings.endHandover(vip);
      this.#candidacy.passOver(vip, handing.to, now);
      this.#restate(now);
      if (this.#candidacy.canOwn(vip)) this.#claim(vip, "reclaim", null, handing.pinned, now);
    }
  }

  #acceptHandovers(now: number): void {
    for (const member of this.roll.members.values()) {
      if (!member.alive) continue;
      for (const { vip, to, term, pinned } of member.handovers.values()) {
        if (to !== this.name || this.claims.has(vip) || !this.#candidacy.canOwn(vip)) continue;
        const rival = this.roll.bestClaim(vip);
        if (rival !== null && rival.claim.term > term) continue;
        this.#claim(vip, "handover", member.name, pinned, now);
      }
    }
  }

  #claimUnowned(now: number): void {
    // What somebody has just said may be what we miss.
    this.#seeks = this.#standing.isListening || this.roll.isBehind(now - deadAfterMilliseconds(this.timing));
    if (this.#seeks) return;
    const unowned: Unowned[] = [];
    for (const vip of this.#candidacy.vips()) {
      if (this.ownerOf(vip) !== null) {
        this.#candidacy.settled(vip);
        continue;
      }
      const candidates = this.#candidacy.candidates(vip, now);
      if (candidates.length > 0) unowned.push({ vip, candidates });
    }
    this.#seeks = unowned.length > 0;
    for (const [vip, owner] of assignOwners(unowned, this.#load())) {
      if (owner === this.name) this.#claim(vip, "takeover", null, false, now);
      else this.#candidacy.awaitClaim(vip, owner, now);
    }
  }

  #balance(now: number): void {
    if (this.#candidacy.draining || this.#standing.isListening || this.#holdings.handing.size > 0) return;
    const living = this.roll.living();
    // Most of the time there is nothing to give, and who could take what takes long to find out.
    const owned = this.#load();
    if (living.every(({ name }) => this.claims.size - (owned.get(name) ?? 0) < 2)) return;
    if (living.some((member) => !member.isCurrent || member.handovers.size > 0)) return;
    const steady = new Set(
      living.filter((member) => now - member.aliveSince >= this.timing.settleMilliseconds).map(({ name }) => name),
    );
    const movable = [...this.claims.values()]
      .filter(({ vip, pinned }) => !pinned && !this.#busy.has(vip))
      .map(({ vip }) => ({ vip, targets: this.#candidacy.takers(vip, now).filter((node) => steady.has(node)) }));
    const takePart = new Set([this.name, ...movable.flatMap(({ targets }) => targets)]);
    const load = new Map([...owned].filter(([node]) => takePart.has(node)));
    for (const { vip, to } of movesToBalance(this.name, load, movable)) {
      this.#handOver(this.claims.get(vip)!, to, false, now);
    }
  }

  #obey({ vip, to }: MoveRequest, now: number): boolean {
    const claim = this.claims.get(vip);
    if (claim === undefined) return false;
    if (to !== this.name && this.#candidacy.isAble(vip, to)) this.#handOver(claim, to, true, now);
    return true;
  }

  #claim(vip: string, cause: AnswerCause, previous: string | null, pinned: boolean, now: number): void {
    const dead = cause === "takeover" ? this.roll.lastOwner(vip) : null;
    this.#candidacy.settled(vip);
    this.#holdings.claim(vip, { weak: !this.#standing.isStrong, pinned });
    this.#restate(now);
    this.#effects.push({
      type: "answer",
      vip,
      cause: cause === "takeover" && dead === null ? "first" : cause,
      previous: previous ?? dead?.name ?? null,
      silentMilliseconds: dead === null ? null : now - dead.lastHeard,
    });
  }

  #giveUp(vip: string, because: string, now: number): void {
    this.#holdings.giveUp(vip);
    this.#restate(now);
    this.#effects.push({ type: "silence", vip, because });
  }

  #handOver(claim: Claim, to: string, pinned: boolean, now: number): void {
    this.#giveUp(claim.vip, `it moves to ${to}`, now);
    this.#holdings.handOver(claim, to, pinned, now);
  }

  /** Addresses by living node, this one too. */
  #load(): Map<string, number> {
    return this.#holdings.loadWith(this.roll.load(), this.name);
  }

  #changed(now: number): void {
    this.#changedAt = now;
    this.#unsettled = true;
    this.#seeks = true;
  }

  #restate(now: number): void {
    this.#telling.renew();
    this.#changed(now);
  }

  #statement(): Statement {
    return {
      claims: [...this.claims.values()],
      handovers: [...this.#holdings.handing.values()].map(({ vip, term, to, pinned }) => ({ vip, term, to, pinned })),
      refused: [...this.#candidacy.refused],
      poor: [...this.#candidacy.poor],
      macs: this.#macs,
      unseen: this.#unseen,
    };
  }
}

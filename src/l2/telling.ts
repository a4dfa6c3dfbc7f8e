/**
 * What this node tells the members, and when: a heartbeat to all at its time, news at once, and out of turn to a single
 * member that lacks something. The statement goes only to those who have not confirmed it, or are not heard. One message
 * serves a group of members, so that it is written and authenticated once for all of them. Pure.
 */
import type { AgreementEffect, Rest, Rested } from "./event.ts";
import type { Heard, Heartbeat, MoveRequest, Statement } from "./heartbeat.ts";
import type { Member } from "./member.ts";
import type { Roll } from "./roll.ts";
import { deadAfterMilliseconds, missedAfterMilliseconds, type Timing } from "./timing.ts";

/** A wish for a move is repeated in this many messages: each may be lost. */
const MOVE_REPEATS = 3;
/**
 * What a message says to its addressees may take so much of it, names and all, what it says of others that are held down, and
 * what it says of moves: the rest of a datagram is for addresses. Where more are held than that, the network comes and goes
 * and not the nodes; moves that find no room wait for the next message.
 */
const GROUP_CHARACTERS = 600;
const HELD_CHARACTERS = 300;
const MOVE_CHARACTERS = 400;
/** Address, and length of the name. */
const MOVE_OCTETS = 17;
/** Session, version and flags of one (heartbeat-codec.ts). */
const HEARD_OCTETS = 12;
/** Answers to one member out of turn come no faster than this. */
const URGE_MILLISECONDS = 40;

/** What the messages of now say. */
export interface Present {
  readonly session: number;
  readonly ready: boolean;
  readonly draining: boolean;
  statement(): Statement;
}

export class Telling {
  readonly #roll: Roll;
  readonly #timing: Timing;
  #sequence = 0;
  #version = 0;
  #isNew = false;
  #nextHeartbeat: number;
  #moves: { readonly request: MoveRequest; repeats: number }[] = [];
  readonly #lastUrged = new Map<string, number>();
  readonly #urgent = new Map<string, number | null>();

  constructor(roll: Roll, timing: Timing, now: number) {
    this.#roll = roll;
    this.#timing = timing;
    this.#nextHeartbeat = now;
  }

  /** Of the statement that was last told. */
  get version(): number {
    return this.#version;
  }

  /** When all are told again that this node lives. */
  get nextHeartbeat(): number {
    return this.#nextHeartbeat;
  }

  /** The statement has changed. */
  renew(): void {
    this.#isNew = true;
  }

  wish(request: MoveRequest, now: number): void {
    this.#moves.push({ request, repeats: MOVE_REPEATS });
    this.#nextHeartbeat = now;
  }

  /** @param session of an introduction that is answered; `null` for a member that is known. */
  urge({ name }: Member, session: number | null, now: number): void {
    if (now - (this.#lastUrged.get(name) ?? Number.NEGATIVE_INFINITY) < URGE_MILLISECONDS) return;
    this.#lastUrged.set(name, now);
    this.#urgent.set(name, session);
  }

  isDue(now: number): boolean {
    return this.#isNew || this.#urgent.size > 0 || now >= this.#nextHeartbeat;
  }

  /** The messages that are due: each for several members, as many as there is room for what they must find in it. */
  due(present: Present, now: number): AgreementEffect[] {
    const effects: AgreementEffect[] = [];
    const moves = fitting(this.#moves, ({ request }) => request.to.length + MOVE_OCTETS, MOVE_CHARACTERS);
    let statement: Statement | null = null;
    const send = (group: readonly Addressee[], withStatement: boolean) => {
      if (withStatement) statement ??= present.statement();
      const news = { statement: withStatement ? statement : null, moves: moves.map(({ request }) => request) };
      effects.push(this.#message(group, ++this.#sequence, present, news, now));
    };
    if (this.#isNew || now >= this.#nextHeartbeat) {
      const isNew = this.#isNew;
      if (isNew) this.#version++;
      this.#isNew = false;
      // In step, however coarse the clock that drives this: ticks must not add up to a slower beat.
      const beat = Math.max(this.#nextHeartbeat, now - this.#timing.heartbeatMilliseconds);
      this.#nextHeartbeat = Math.min(beat, now) + this.#timing.heartbeatMilliseconds;
      for (const { group, withStatement } of this.#groups(isNew)) send(group, withStatement);
      // All are told once before any is told again.
      this.#moves = [...this.#moves.slice(moves.length), ...moves.filter((move) => --move.repeats > 0)];
    }
    for (const [name, introduced] of this.#urgent) {
      const member = this.#roll.members.get(name);
      if (member !== undefined) send([{ member, session: introduced ?? member.session }], true);
    }
    this.#urgent.clear();
    return effects;
  }

  /**
   * What is said at each beat as long as nothing changes; `null` while there is news, or a living member that has not heard all of
   * it, or has more to say itself.
   *
   * @param until when the agreement has to look again.
   */
  rest(present: Present, until: number, now: number): Rest | null {
    const living = this.#roll.living();
    if (this.#isNew || this.#urgent.size > 0 || this.#moves.length > 0 || living.length === 0) return null;
    if (living.some(({ isCurrent, hasOfUs }) => !isCurrent || hasOfUs !== this.#version)) return null;
    return {
      messages: this.#groups(false).map(({ group, withStatement }) => {
        const news = { statement: withStatement ? present.statement() : null, moves: [] };
        return this.#message(group, this.#sequence, present, news, now);
      }),
      sequence: this.#sequence,
      next: this.#nextHeartbeat,
      every: this.#timing.heartbeatMilliseconds,
      signs: living.map(({ sign }) => sign),
      patience: Math.min(...living.map((member) => member.patience(this.#timing))),
      awaits: living.length < this.#roll.members.size,
      until,
      dead: deadAfterMilliseconds(this.#timing),
    };
  }

  /** So much has been said meanwhile. @returns until when. */
  rested({ sequence, next, lived }: Rested): number {
    this.#sequence = sequence;
    this.#nextHeartbeat = next;
    return lived;
  }

  /**
   * All members, as they are told at a beat. Who was away may have claimed the same meanwhile: the first message that comes
   * through again should settle it.
   */
  #groups(isNew: boolean): readonly { readonly group: readonly Addressee[]; readonly withStatement: boolean }[] {
    const members = [...this.#roll.members.values()];
    const lacks = (member: Member) => isNew || !member.alive || member.hasOfUs !== this.#version;
    return [false, true].flatMap((withStatement) => {
      const addressees = members.filter((member) => lacks(member) === withStatement).map(addressed);
      return [...inGroups(addressees)].map((group) => ({ group, withStatement }));
    });
  }

  #message(
    group: readonly Addressee[],
    sequence: number,
    present: Present,
    news: Pick<Heartbeat, "statement" | "moves">,
    now: number,
  ): Extract<AgreementEffect, { type: "send" }> {
    const known = group.filter(({ session }) => session !== 0);
    const heard = known.map(({ member, session }) => heardOf(member, session, member.isHeld(now)));
    const others = [...this.#roll.members.values()].filter(
      (member) => member.isHeld(now) && group.every((one) => one.member !== member),
    );
    for (const member of fitting(others, ({ name }) => name.length + HEARD_OCTETS, HELD_CHARACTERS)) {
      heard.push(heardOf(member, member.session, true));
    }
    const message: Heartbeat = {
      from: this.#roll.self,
      session: present.session,
      sequence,
      ready: present.ready,
      draining: present.draining,
      patienceMilliseconds: Math.ceil(missedAfterMilliseconds(this.#timing)),
      heard,
      version: this.#version,
      ...news,
    };
    return { type: "send", to: group.map(({ member }) => member.name), message };
  }
}

/** A member to which a message goes, and its session that the message names; 0 for none. */
interface Addressee {
  readonly member: Member;
  readonly session: number;
}

function addressed(member: Member): Addressee {
  return { member, session: member.session };
}

function* inGroups(addressees: readonly Addressee[]): Generator<Addressee[]> {
  let group: Addressee[] = [];
  let characters = 0;
  for (const one of addressees) {
    const more = one.member.name.length + HEARD_OCTETS;
    if (group.length > 0 && characters + more > GROUP_CHARACTERS) {
      yield group;
      group = [];
      characters = 0;
    }
    group.push(one);
    characters += more;
  }
  if (group.length > 0) yield group;
}

/** As many of the first ones as there is room for. */
function fitting<T>(items: readonly T[], charactersOf: (item: T) => number, room: number): readonly T[] {
  let free = room;
  const end = items.findIndex((item) => {
    free -= charactersOf(item);
    return free < 0;
  });
  return end < 0 ? items : items.slice(0, end);
}

function heardOf({ name, version }: Member, session: number, held: boolean): Heard {
  return { node: name, session, version, held };
}

/**
 * What this node tells the members, and when: a heartbeat to all at its time, news at once, and out of turn to a single
 * member that lacks something. The statement goes only to those who have not confirmed it. Pure.
 */
import type { AgreementEffect } from "./event.ts";
import type { Heard, Heartbeat, MoveRequest, Statement } from "./heartbeat.ts";
import type { Member } from "./member.ts";
import type { Roll } from "./roll.ts";

/** A wish for a move is repeated in this many messages: each may be lost. */
const MOVE_REPEATS = 3;
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
  readonly #heartbeatMilliseconds: number;
  #sequence = 0;
  #version = 0;
  #isNew = false;
  #nextHeartbeat: number;
  #moves: { readonly request: MoveRequest; repeats: number }[] = [];
  readonly #lastUrged = new Map<string, number>();
  readonly #urgent = new Map<string, number | null>();

  constructor(roll: Roll, heartbeatMilliseconds: number, now: number) {
    this.#roll = roll;
    this.#heartbeatMilliseconds = heartbeatMilliseconds;
    this.#nextHeartbeat = now;
  }

  /** Of the statement that was last told. */
  get version(): number {
    return this.#version;
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

  /** The messages that are due, one for each member: what all would have to be told of all others is too long. */
  due(present: Present, now: number): AgreementEffect[] {
    const effects: AgreementEffect[] = [];
    const held = [...this.#roll.members.values()].filter((member) => member.isHeld(now)).map(heardOf);
    let statement: Statement | null = null;
    const send = (member: Member, withStatement: boolean, introduced: number | null) => {
      if (withStatement) statement ??= present.statement();
      const heard = { ...heardOf(member), session: introduced ?? member.session, held: member.isHeld(now) };
      const message: Heartbeat = {
        from: this.#roll.self,
        session: present.session,
        sequence: ++this.#sequence,
        ready: present.ready,
        draining: present.draining,
        heard: [...(heard.session === 0 ? [] : [heard]), ...held.filter(({ node }) => node !== member.name)],
        version: this.#version,
        statement: withStatement ? statement : null,
        moves: this.#moves.map(({ request: { vip, to } }) => ({ vip, to })),
      };
      effects.push({ type: "send", to: member.name, message });
    };
    if (this.#isNew || now >= this.#nextHeartbeat) {
      const isNew = this.#isNew;
      if (isNew) this.#version++;
      this.#isNew = false;
      this.#nextHeartbeat = now + this.#heartbeatMilliseconds;
      for (const member of this.#roll.members.values()) {
        send(member, isNew || (member.alive && member.hasOfUs !== this.#version), null);
      }
      this.#moves = this.#moves.filter((move) => --move.repeats > 0);
    }
    for (const [name, introduced] of this.#urgent) {
      const member = this.#roll.members.get(name);
      if (member !== undefined) send(member, true, introduced);
    }
    this.#urgent.clear();
    return effects;
  }
}

/** What is said of a member that is held down, to all others. */
function heardOf({ name, session, version }: Member): Heard {
  return { node: name, session, version, held: true };
}

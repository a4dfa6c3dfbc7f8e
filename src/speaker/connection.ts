/**
 * One BGP connection: the pure FSM joined to a transport and to timers. It turns what happens into events, carries out the
 * effects in order, and hands routes and news to its owner. There are two of them only while a collision is undecided.
 */

import type { Fault } from "../bgp/fault.ts";
import { gravest } from "../bgp/fault.ts";
import { step } from "../bgp/fsm.ts";
import {
  INITIAL_WIRE_SESSION,
  type Message,
  type RouteRefresh,
  type Update,
  type WireSession,
} from "../bgp/message.ts";
import { decodeMessage, encodeMessage } from "../bgp/message-codec.ts";
import { MessageFramer } from "../bgp/message-framer.ts";
import type { Negotiated, SessionConfig } from "../bgp/negotiation.ts";
import type { Effect, Event, Session, Timer } from "../bgp/session-event.ts";
import type { SessionState } from "../bgp/speaker-spec.ts";
import type { Transport, TransportListener } from "./transport.ts";

export interface ConnectionOwner {
  readonly config: SessionConfig;
  dial(listener: TransportListener): Transport;
  onState(connection: Connection, from: SessionState, to: SessionState): void;
  /** The peer's OPEN was accepted: the moment to look for a collision. */
  onOpened(connection: Connection, negotiated: Negotiated): void;
  onEstablished(connection: Connection, negotiated: Negotiated): void;
  onUpdate(connection: Connection, update: Update, faults: readonly Fault[]): void;
  onRefresh(connection: Connection, request: RouteRefresh): void;
  onReport(connection: Connection, words: string): void;
  onMessage(direction: "sent" | "received", octets: Uint8Array): void;
  /** `null` is the RFC's default. */
  readonly sendHoldSeconds: number | null;
}

/** RFC 9687 §3: the larger of 8 minutes and twice the hold time. */
const LEAST_SEND_HOLD_MILLISECONDS = 480_000;

/** A write is a system call: many messages go in one, but not so many that nothing leaves while they are joined. */
const MESSAGES_PER_WRITE = 64;

export class Connection {
  readonly #owner: ConnectionOwner;
  readonly #timers = new Map<Timer, NodeJS.Timeout>();
  #sendHold: NodeJS.Timeout | null = null;
  #session: Session;
  #transport: Transport | null;
  #framer = new MessageFramer();
  /** Faults of the message that is being stepped, for the owner of its routes. */
  #faults: readonly Fault[] = [];

  constructor(owner: ConnectionOwner, session: Session, accept: ((listener: TransportListener) => Transport) | null) {
    this.#owner = owner;
    this.#session = session;
    this.#transport = accept === null ? null : accept(this.#listenerFor(() => this.#transport));
  }

  get state(): SessionState {
    return this.#session.state;
  }

  get negotiated(): Negotiated | null {
    return this.#session.negotiated;
  }

  /** Our address, while there is a connection. */
  get localAddress(): string | null {
    return this.#transport?.localAddress ?? null;
  }

  handle(event: Event): void {
    const from = this.#session.state;
    const { session, effects } = step(this.#session, this.#owner.config, event, Math.random());
    this.#session = session;
    for (const effect of effects) this.#carryOut(effect);
    if (session.state !== from) this.#owner.onState(this, from, session.state);
  }

  send(message: Message): void {
    this.write([encodeMessage(message, this.#wire)]);
  }

  /** Writes whole messages made by the RIB. */
  write(messages: readonly Uint8Array[]): void {
    if (this.#transport === null || messages.length === 0) return;
    let left = true;
    for (let from = 0; from < messages.length; from += MESSAGES_PER_WRITE) {
      const together = messages.slice(from, from + MESSAGES_PER_WRITE);
      left = this.#transport.write(together.length === 1 ? together[0]! : Buffer.concat(together));
      for (const message of together) this.#owner.onMessage("sent", message);
    }
    if (!left) this.#armSendHold();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        this.#dial();
        return;
      case "disconnect":
        this.#disconnect(effect.abort);
        return;
      case "send":
        this.send(effect.message);
        return;
      case "arm":
        this.#arm(effect.timer, effect.milliseconds);
        return;
      case "disarm":
        this.#disarm(effect.timer);
        return;
      case "opened":
        this.#owner.onOpened(this, effect.negotiated);
        return;
      case "established":
        this.#owner.onEstablished(this, effect.negotiated);
        return;
      case "update":
        this.#owner.onUpdate(this, effect.update, this.#faults);
        return;
      case "refresh":
        this.#owner.onRefresh(this, effect.request);
        return;
      case "report":
        this.#owner.onReport(this, effect.words);
        return;
    }
  }

  get #wire(): WireSession {
    return this.#session.negotiated?.wire ?? INITIAL_WIRE_SESSION;
  }

  #dial(): void {
    this.#framer = new MessageFramer();
    let transport: Transport | null = null;
    transport = this.#owner.dial(this.#listenerFor(() => transport));
    this.#transport = transport;
  }

  /** Reports of a transport that was replaced meanwhile are not ours any more. */
  #listenerFor(self: () => Transport | null): TransportListener {
    const current = () => this.#transport !== null && this.#transport === self();
    return {
      onConnected: () => {
        if (current()) this.handle({ type: "connected" });
      },
      onData: (chunk) => {
        if (current()) this.#receive(chunk, current);
      },
      onDrained: () => {
        if (current()) this.#disarmSendHold();
      },
      onClosed: (words) => {
        if (!current()) return;
        this.#transport = null;
        this.handle({ type: "connection-failed", words });
      },
    };
  }

  #receive(chunk: Uint8Array, current: () => boolean): void {
    this.#framer.push(
      chunk,
      () => this.#wire,
      (message) => {
        if (message instanceof Uint8Array) this.#take(message);
        else this.handle({ type: "fault", fault: message });
        return current();
      },
    );
  }

  #take(octets: Uint8Array): void {
    this.#owner.onMessage("received", octets);
    const { message, faults } = decodeMessage(octets, this.#wire);
    this.#faults = faults;
    if (message !== null) this.handle({ type: "message", message: message satisfies Message });
    else this.handle({ type: "fault", fault: gravest(faults)! });
  }

  #disconnect(abort: boolean): void {
    this.#disarmSendHold();
    const transport = this.#transport;
    this.#transport = null;
    if (abort) transport?.abort();
    else transport?.finish();
  }

  #arm(timer: Timer, milliseconds: number): void {
    this.#disarm(timer);
    this.#timers.set(
      timer,
      setTimeout(() => {
        this.#timers.delete(timer);
        this.handle({ type: "expired", timer });
      }, milliseconds),
    );
  }

  #disarm(timer: Timer): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
  }

  #armSendHold(): void {
    if (this.#sendHold !== null) return;
    const { sendHoldSeconds } = this.#owner;
    const holdMilliseconds = 2000 * (this.#session.negotiated?.holdTimeSeconds ?? 0);
    const usual = Math.max(LEAST_SEND_HOLD_MILLISECONDS, holdMilliseconds);
    this.#sendHold = setTimeout(
      () => {
        this.#sendHold = null;
        this.handle({ type: "send-hold-expired" });
      },
      sendHoldSeconds === null ? usual : sendHoldSeconds * 1000,
    );
  }

  #disarmSendHold(): void {
    if (this.#sendHold !== null) clearTimeout(this.#sendHold);
    this.#sendHold = null;
  }
}

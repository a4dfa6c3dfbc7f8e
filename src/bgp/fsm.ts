/**
 * The finite state machine of one BGP connection (RFC 4271 §8): `step(session, config, event, random)` says what the
 * session is next and what is to be done. No socket, no clock: a shell carries the effects out and reports events.
 *
 *     Idle --start--> Connect --connected--> OpenSent --OPEN--> OpenConfirm --KEEPALIVE--> Established
 *       ^                |  ^                    |
 *       |                |  '--- retry --- Active (waits for the peer, or to try again)
 *       '--- every error, then a pause that doubles with each failure (idle hold)
 *
 * Where it departs from the letter of §8.2.2, on purpose:
 * - a NOTIFICATION from the peer is never answered with one;
 * - after an error the session starts itself again after the idle hold, 0.5 s doubled up to 30 s or the connect-retry time;
 * - Active after a lost connection in OpenSent waits for the same doubling pause, not for the whole connect-retry time.
 * Mandatory attributes, delayed OPEN and damping are as in the RFC's base; DelayOpen is not offered.
 */
import { Cease, ErrorCode, Fault, FsmError, reset } from "./fault.ts";
import type { Message, Notification } from "./message.ts";
import { type Negotiated, negotiate, openFor, type SessionConfig } from "./negotiation.ts";
import { cease, describeNotification, hardReset, notificationName, notificationOf } from "./notification.ts";
import { type Effect, type Event, IDLE, type Session, type Timer, type Transition } from "./session-event.ts";
import type { SessionState } from "./speaker-spec.ts";

/** RFC 4271 §8.2.2: the hold timer until the OPEN has come. */
const OPEN_HOLD_MILLISECONDS = 240_000;
/** A router that was just started refuses for a second or so; one that is gone is asked twice a minute. */
const FIRST_PAUSE_SECONDS = 0.5;
const LONGEST_PAUSE_SECONDS = 30;

/** `random` is a number in [0, 1) for the jitter of §10. */
export function step(session: Session, config: SessionConfig, event: Event, random: number): Transition {
  switch (event.type) {
    case "stop":
      return stop(session, event.notification);
    case "restart":
      if (!isConnected(session)) return start({ ...session, failures: 0 }, config, random, closing());
      return start(IDLE, config, random, [...farewell(event.notification), report(event.words)]);
    default:
      return STATES[session.state](session, config, event, random);
  }
}

type LiveEvent = Exclude<Event, { type: "stop" | "restart" }>;
type StateStep = (session: Session, config: SessionConfig, event: LiveEvent, random: number) => Transition;

const STATES: Readonly<Record<SessionState, StateStep>> = {
  Idle: inIdle,
  Connect: inConnect,
  Active: inActive,
  OpenSent: inOpenSent,
  OpenConfirm: inOpenConfirm,
  Established: inEstablished,
};

function inIdle(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  if (event.type === "start") return start({ ...session, failures: 0 }, config, random, []);
  if (event.type === "expired" && event.timer === "idle-hold") return start(session, config, random, []);
  // §8.2.2: "the local system refuses all incoming BGP connections for this peer".
  if (event.type === "connected") return { session, effects: [{ do: "disconnect", abort: true }] };
  return { session, effects: [] };
}

function inConnect(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "start":
    case "bfd-down":
      return { session, effects: [] };
    case "connected":
      return sendOpen(session, config);
    case "expired":
      if (event.timer !== "connect-retry") return fail(session, config, random, "unexpected timer", null);
      return start({ ...session, failures: session.failures + 1 }, config, random, [
        { do: "disconnect", abort: true },
        report("the peer does not answer the connection attempt"),
      ]);
    default:
      return fail(session, config, random, wordsOf(event), null);
  }
}

function inActive(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "start":
    case "bfd-down":
      return { session, effects: [] };
    case "connected":
      return sendOpen(session, config);
    case "expired":
      if (event.timer !== "connect-retry") return fail(session, config, random, "unexpected timer", null);
      return start(session, config, random, []);
    default:
      return fail(session, config, random, wordsOf(event), null);
  }
}

function inOpenSent(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "start":
      return { session, effects: [] };
    case "connection-failed": {
      const failures = session.failures + 1;
      const retry: Effect = { do: "arm", timer: "connect-retry", milliseconds: pause(failures, config, random) };
      return {
        session: { state: "Active", failures, negotiated: null },
        effects: [...closing(), retry, report(event.words)],
      };
    }
    case "message":
      if (event.message.type !== "OPEN") return unexpected(session, config, event.message, random);
      return takeOpen(session, config, event.message, random);
    case "expired":
      if (event.timer === "hold") return holdExpired(session, config, random);
      return fail(session, config, random, "unexpected timer", fsmFault(session, "unexpected timer"));
    default:
      return common(session, config, event, random);
  }
}

function inOpenConfirm(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "start":
      return { session, effects: [] };
    case "message": {
      if (event.message.type !== "KEEPALIVE") return unexpected(session, config, event.message, random);
      const negotiated = session.negotiated!;
      return {
        session: { state: "Established", failures: 0, negotiated },
        effects: [...holdTimer(negotiated), { do: "established", negotiated }],
      };
    }
    case "expired":
      return keepOrExpire(session, config, event.timer, random);
    default:
      return common(session, config, event, random);
  }
}

function inEstablished(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "start":
      return { session, effects: [] };
    case "message": {
      const { message } = event;
      switch (message.type) {
        case "KEEPALIVE":
          return { session, effects: holdTimer(session.negotiated!) };
        case "UPDATE":
          return { session, effects: [...holdTimer(session.negotiated!), { do: "update", update: message }] };
        case "ROUTE-REFRESH":
          return { session, effects: [{ do: "refresh", request: message }] };
        default:
          return unexpected(session, config, message, random);
      }
    }
    case "expired":
      return keepOrExpire(session, config, event.timer, random);
    default:
      return common(session, config, event, random);
  }
}

/** What OpenSent, OpenConfirm and Established do alike. */
function common(session: Session, config: SessionConfig, event: LiveEvent, random: number): Transition {
  switch (event.type) {
    case "fault":
      return fail(session, config, random, wordsOf(event), event.fault);
    case "collision": {
      // Not a failure: the peer is there, on the other connection.
      const effects = [...farewell(cease(7)), report(wordsOf(event))];
      return { session: IDLE, effects };
    }
    case "send-hold-expired": {
      const failed = fail(session, config, random, wordsOf(event), null);
      const abort: Effect = { do: "disconnect", abort: true };
      return { session: failed.session, effects: [abort, ...failed.effects] };
    }
    case "bfd-down":
      return fail(session, config, random, wordsOf(event), bfdDown());
    case "connected":
      return { session, effects: [] };
    default:
      return fail(session, config, random, wordsOf(event), null);
  }
}

function bfdDown(): Fault {
  return reset(ErrorCode.Cease, Cease.BfdDown, wordsOf({ type: "bfd-down" }));
}

function start(session: Session, config: SessionConfig, random: number, first: readonly Effect[]): Transition {
  const retry: Effect = {
    do: "arm",
    timer: "connect-retry",
    milliseconds: jittered(config.connectRetrySeconds, random),
  };
  if (config.passive) {
    return { session: { ...session, state: "Active", negotiated: null }, effects: [...first, disarm("idle-hold")] };
  }
  return {
    session: { ...session, state: "Connect", negotiated: null },
    effects: [...first, disarm("idle-hold"), retry, { do: "connect" }],
  };
}

function stop(session: Session, notification: Notification | null): Transition {
  const effects = isConnected(session) && notification !== null ? farewell(final(session, notification)) : closing();
  return { session: IDLE, effects: [...effects, disarm("idle-hold")] };
}

/** With the N bit on both sides a peer would keep our routes after a plain NOTIFICATION; a stop is meant to end them. */
function final({ negotiated }: Session, notification: Notification): Notification {
  return negotiated?.gracefulNotification === true ? hardReset(notification) : notification;
}

function isConnected(session: Session): boolean {
  return session.state === "OpenSent" || session.state === "OpenConfirm" || session.state === "Established";
}

function sendOpen(session: Session, config: SessionConfig): Transition {
  return {
    session: { ...session, state: "OpenSent" },
    effects: [
      disarm("connect-retry"),
      { do: "send", message: openFor(config) },
      { do: "arm", timer: "hold", milliseconds: OPEN_HOLD_MILLISECONDS },
    ],
  };
}

function takeOpen(
  session: Session,
  config: SessionConfig,
  open: Extract<Message, { type: "OPEN" }>,
  random: number,
): Transition {
  const negotiated = negotiate(config, open);
  if (negotiated instanceof Fault) return fail(session, config, random, negotiated.message, negotiated);
  return {
    session: { ...session, state: "OpenConfirm", negotiated },
    effects: [
      { do: "send", message: { type: "KEEPALIVE" } },
      ...holdTimer(negotiated),
      ...keepaliveTimer(negotiated, random),
      { do: "opened", negotiated },
    ],
  };
}

function keepOrExpire(session: Session, config: SessionConfig, timer: Timer, random: number): Transition {
  if (timer === "hold") return holdExpired(session, config, random);
  if (timer !== "keepalive") {
    return fail(session, config, random, "unexpected timer", fsmFault(session, "unexpected timer"));
  }
  const effects: Effect[] = [{ do: "send", message: { type: "KEEPALIVE" } }];
  return { session, effects: [...effects, ...keepaliveTimer(session.negotiated!, random)] };
}

function holdExpired(session: Session, config: SessionConfig, random: number): Transition {
  const waited = session.negotiated?.holdTimeSeconds ?? OPEN_HOLD_MILLISECONDS / 1000;
  const words = `nothing was heard from the peer for ${waited} seconds (hold timer expired)`;
  return fail(session, config, random, words, reset(ErrorCode.HoldTimer, 0, words));
}

function unexpected(session: Session, config: SessionConfig, message: Message, random: number): Transition {
  if (message.type === "NOTIFICATION") {
    return fail(session, config, random, `the peer closed the session: ${describeNotification(message)}`, null);
  }
  const words = `the peer sent ${message.type} in ${session.state}`;
  return fail(session, config, random, words, fsmFault(session, words));
}

function fsmFault(session: Session, words: string): Fault {
  const subcode = FsmError[session.state as keyof typeof FsmError];
  return reset(ErrorCode.Fsm, subcode, words);
}

/** Ends the connection, tells the peer the fault if there is one to tell, and tries again after a pause. */
function fail(session: Session, config: SessionConfig, random: number, words: string, fault: Fault | null): Transition {
  const failures = session.failures + 1;
  const effects = fault === null ? closing() : farewell(notificationOf(fault));
  const told = fault === null ? words : `${words} (sent ${notificationName(fault.code, fault.subcode)})`;
  return {
    session: { state: "Idle", failures, negotiated: null },
    effects: [
      ...effects,
      { do: "arm", timer: "idle-hold", milliseconds: pause(failures, config, random) },
      report(told),
    ],
  };
}

function closing(): Effect[] {
  return [disarm("connect-retry"), disarm("hold"), disarm("keepalive"), { do: "disconnect", abort: false }];
}

function farewell(notification: Notification): Effect[] {
  return [{ do: "send", message: notification }, ...closing()];
}

function pause(failures: number, config: SessionConfig, random: number): number {
  const doubled = FIRST_PAUSE_SECONDS * 2 ** Math.min(failures - 1, 10);
  return jittered(Math.min(doubled, LONGEST_PAUSE_SECONDS, config.connectRetrySeconds), random);
}

/** §10: 0.75 to 1.0 of the configured time. */
function jittered(seconds: number, random: number): number {
  return Math.round(seconds * 1000 * (0.75 + 0.25 * random));
}

function holdTimer({ holdTimeSeconds }: Negotiated): Effect[] {
  return [holdTimeSeconds === 0 ? disarm("hold") : { do: "arm", timer: "hold", milliseconds: holdTimeSeconds * 1000 }];
}

function keepaliveTimer({ holdTimeSeconds, keepaliveSeconds }: Negotiated, random: number): Effect[] {
  if (holdTimeSeconds === 0) return [];
  return [{ do: "arm", timer: "keepalive", milliseconds: jittered(keepaliveSeconds, random) }];
}

function disarm(timer: Timer): Effect {
  return { do: "disarm", timer };
}

function report(words: string): Effect {
  return { do: "report", words };
}

function wordsOf(event: LiveEvent): string {
  switch (event.type) {
    case "connection-failed":
      return event.words;
    case "fault":
      return event.fault.message;
    case "bfd-down":
      return "BFD does not hear the peer any more";
    case "collision":
      return "closed in favour of the peer's own connection (connection collision)";
    case "send-hold-expired":
      return "the peer takes nothing from us any more (send hold timer expired)";
    case "message":
      return event.message.type === "NOTIFICATION"
        ? `the peer closed the session: ${describeNotification(event.message)}`
        : `the peer sent ${event.message.type} before a session was open`;
    default:
      return `unexpected event ${event.type}`;
  }
}

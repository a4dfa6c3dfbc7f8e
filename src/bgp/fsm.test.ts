/** RFC 4271 §8.2.2 as a table: each state meets each event. */
import { describe, expect, test } from "vitest";
import { CONFIG } from "../../test/fixtures/bgp-peers.ts";
import { ipv4FromNumber } from "../net/ipv4.ts";
import { reset } from "./fault.ts";
import { step } from "./fsm.ts";
import { type Message, NO_ATTRIBUTES, type Open } from "./message.ts";
import { type Negotiated, negotiate, openFor, type SessionConfig } from "./negotiation.ts";
import { NO_IPV4_NLRI } from "./nlri.ts";
import { cease } from "./notification.ts";
import { type Effect, type Event, IDLE, type Session } from "./session-event.ts";
import type { SessionState } from "./speaker-spec.ts";

const PEER: SessionConfig = { ...CONFIG, localAsn: 65001, peerAsn: 65000, routerId: ipv4FromNumber(0xc0a80101) };
const OPEN: Open = openFor(PEER);
const NEGOTIATED = negotiate(CONFIG, OPEN) as Negotiated;

const message = (value: Message): Event => ({ type: "message", message: value });
const EVENTS = {
  start: { type: "start" },
  stop: { type: "stop", notification: cease(2, "bye") },
  "stop without a word": { type: "stop", notification: null },
  restart: { type: "restart", notification: cease(6), words: "changed" },
  "idle hold expires": { type: "expired", timer: "idle-hold" },
  "connect retry expires": { type: "expired", timer: "connect-retry" },
  "hold expires": { type: "expired", timer: "hold" },
  "keepalive expires": { type: "expired", timer: "keepalive" },
  "send hold expires": { type: "send-hold-expired" },
  connected: { type: "connected" },
  "connection fails": { type: "connection-failed", words: "refused" },
  OPEN: message(OPEN),
  "OPEN of another AS": message({ ...OPEN, capabilities: [], asn: 65009 }),
  KEEPALIVE: message({ type: "KEEPALIVE" }),
  UPDATE: message({ type: "UPDATE", withdrawn: NO_IPV4_NLRI, attributes: NO_ATTRIBUTES, nlri: NO_IPV4_NLRI }),
  "ROUTE-REFRESH": message({ type: "ROUTE-REFRESH", afi: 1, safi: 1, subtype: 0 }),
  NOTIFICATION: message(cease(2)),
  fault: { type: "fault", fault: reset(3, 1, "malformed") },
  "BFD down": { type: "bfd-down" },
  collision: { type: "collision" },
} as const satisfies Record<string, Event>;
type EventName = keyof typeof EVENTS;

/**
 * Next state, then what is done: `OPEN`/`KEEPALIVE`/`6/2` are sent, `close` ends the connection, `abort` ends it at once,
 * `retry` arms the idle hold, `refuse` closes a connection that is not wanted.
 */
const TABLE: Record<SessionState, Record<EventName, string>> = {
  Idle: {
    start: "Connect connect",
    stop: "Idle close",
    "stop without a word": "Idle close",
    restart: "Connect close connect",
    "idle hold expires": "Connect connect",
    "connect retry expires": "Idle",
    "hold expires": "Idle",
    "keepalive expires": "Idle",
    "send hold expires": "Idle",
    connected: "Idle abort",
    "connection fails": "Idle",
    OPEN: "Idle",
    "OPEN of another AS": "Idle",
    KEEPALIVE: "Idle",
    UPDATE: "Idle",
    "ROUTE-REFRESH": "Idle",
    NOTIFICATION: "Idle",
    fault: "Idle",
    "BFD down": "Idle",
    collision: "Idle",
  },
  Connect: {
    start: "Connect",
    stop: "Idle close",
    "stop without a word": "Idle close",
    restart: "Connect close connect",
    "idle hold expires": "Idle close retry",
    "connect retry expires": "Connect abort connect",
    "hold expires": "Idle close retry",
    "keepalive expires": "Idle close retry",
    "send hold expires": "Idle close retry",
    connected: "OpenSent OPEN",
    "connection fails": "Idle close retry",
    OPEN: "Idle close retry",
    "OPEN of another AS": "Idle close retry",
    KEEPALIVE: "Idle close retry",
    UPDATE: "Idle close retry",
    "ROUTE-REFRESH": "Idle close retry",
    NOTIFICATION: "Idle close retry",
    fault: "Idle close retry",
    "BFD down": "Connect",
    collision: "Idle close retry",
  },
  Active: {
    start: "Active",
    stop: "Idle close",
    "stop without a word": "Idle close",
    restart: "Connect close connect",
    "idle hold expires": "Idle close retry",
    "connect retry expires": "Connect connect",
    "hold expires": "Idle close retry",
    "keepalive expires": "Idle close retry",
    "send hold expires": "Idle close retry",
    connected: "OpenSent OPEN",
    "connection fails": "Idle close retry",
    OPEN: "Idle close retry",
    "OPEN of another AS": "Idle close retry",
    KEEPALIVE: "Idle close retry",
    UPDATE: "Idle close retry",
    "ROUTE-REFRESH": "Idle close retry",
    NOTIFICATION: "Idle close retry",
    fault: "Idle close retry",
    "BFD down": "Active",
    collision: "Idle close retry",
  },
  OpenSent: {
    start: "OpenSent",
    stop: "Idle 6/2 close",
    "stop without a word": "Idle close",
    restart: "Connect 6/6 close connect",
    "idle hold expires": "Idle 5/1 close retry",
    "connect retry expires": "Idle 5/1 close retry",
    "hold expires": "Idle 4/0 close retry",
    "keepalive expires": "Idle 5/1 close retry",
    "send hold expires": "Idle abort close retry",
    connected: "OpenSent",
    "connection fails": "Active close",
    OPEN: "OpenConfirm KEEPALIVE opened",
    "OPEN of another AS": "Idle 2/2 close retry",
    KEEPALIVE: "Idle 5/1 close retry",
    UPDATE: "Idle 5/1 close retry",
    "ROUTE-REFRESH": "Idle 5/1 close retry",
    NOTIFICATION: "Idle close retry",
    fault: "Idle 3/1 close retry",
    "BFD down": "Idle 6/10 close retry",
    collision: "Idle 6/7 close",
  },
  OpenConfirm: {
    start: "OpenConfirm",
    stop: "Idle 6/2 close",
    "stop without a word": "Idle close",
    restart: "Connect 6/6 close connect",
    "idle hold expires": "Idle 5/2 close retry",
    "connect retry expires": "Idle 5/2 close retry",
    "hold expires": "Idle 4/0 close retry",
    "keepalive expires": "OpenConfirm KEEPALIVE",
    "send hold expires": "Idle abort close retry",
    connected: "OpenConfirm",
    "connection fails": "Idle close retry",
    OPEN: "Idle 5/2 close retry",
    "OPEN of another AS": "Idle 5/2 close retry",
    KEEPALIVE: "Established established",
    UPDATE: "Idle 5/2 close retry",
    "ROUTE-REFRESH": "Idle 5/2 close retry",
    NOTIFICATION: "Idle close retry",
    fault: "Idle 3/1 close retry",
    "BFD down": "Idle 6/10 close retry",
    collision: "Idle 6/7 close",
  },
  Established: {
    start: "Established",
    stop: "Idle 6/2 close",
    "stop without a word": "Idle close",
    restart: "Connect 6/6 close connect",
    "idle hold expires": "Idle 5/3 close retry",
    "connect retry expires": "Idle 5/3 close retry",
    "hold expires": "Idle 4/0 close retry",
    "keepalive expires": "Established KEEPALIVE",
    "send hold expires": "Idle abort close retry",
    connected: "Established",
    "connection fails": "Idle close retry",
    OPEN: "Idle 5/3 close retry",
    "OPEN of another AS": "Idle 5/3 close retry",
    KEEPALIVE: "Established",
    UPDATE: "Established update",
    "ROUTE-REFRESH": "Established refresh",
    NOTIFICATION: "Idle close retry",
    fault: "Idle 3/1 close retry",
    "BFD down": "Idle 6/10 close retry",
    collision: "Idle 6/7 close",
  },
};

function sessionIn(state: SessionState): Session {
  const negotiated = state === "OpenConfirm" || state === "Established" ? NEGOTIATED : null;
  return { state, failures: 0, negotiated };
}

function word(effect: Effect): string | null {
  switch (effect.do) {
    case "send":
      return effect.message.type === "NOTIFICATION"
        ? `${effect.message.code}/${effect.message.subcode}`
        : effect.message.type;
    case "disconnect":
      return effect.abort ? "abort" : "close";
    case "arm":
      return effect.timer === "idle-hold" ? "retry" : null;
    case "disarm":
    case "report":
      return null;
    default:
      return effect.do;
  }
}

const armed = (effects: readonly Effect[], timer: string) =>
  effects.find((effect) => effect.do === "arm" && effect.timer === timer) as { milliseconds: number } | undefined;

describe.each(Object.keys(TABLE) as SessionState[])("in %s", (state) => {
  test.each(Object.entries(TABLE[state]) as [EventName, string][])("%s leads to: %s", (name, outcome) => {
    const { session, effects } = step(sessionIn(state), CONFIG, EVENTS[name], 0.5);
    const words = effects.map(word).filter((one) => one !== null);
    expect([session.state, ...words].join(" ")).toBe(outcome);
  });
});

describe("timers", () => {
  test("the pause before the next try doubles with each failure, up to 30 seconds", () => {
    let session: Session = IDLE;
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      session = step(session, CONFIG, i === 0 ? EVENTS.start : EVENTS["idle hold expires"], 0.999).session;
      const failed = step(session, CONFIG, EVENTS["connection fails"], 1);
      session = failed.session;
      pauses.push(armed(failed.effects, "idle-hold")!.milliseconds / 1000);
    }
    expect(pauses).toEqual([0.5, 1, 2, 4, 8, 16, 30, 30]);
  });

  test("a session that came up starts with a short pause again after it is lost", () => {
    const late: Session = { state: "OpenConfirm", failures: 6, negotiated: NEGOTIATED };
    const up = step(late, CONFIG, EVENTS.KEEPALIVE, 0).session;
    expect(armed(step(up, CONFIG, EVENTS["connection fails"], 1).effects, "idle-hold")!.milliseconds).toBe(500);
  });

  test("jitter takes away at most a quarter", () => {
    const at = (random: number) =>
      armed(step(IDLE, CONFIG, EVENTS.start, random).effects, "connect-retry")!.milliseconds;
    expect(at(0)).toBe(90_000);
    expect(at(1)).toBe(120_000);
  });

  test("the smaller hold time of both holds, and keepalives come at a third of it", () => {
    const { effects } = step(sessionIn("OpenSent"), CONFIG, message({ ...OPEN, holdTimeSeconds: 9 }), 1);
    expect(armed(effects, "hold")!.milliseconds).toBe(9000);
    expect(armed(effects, "keepalive")!.milliseconds).toBe(3000);
  });

  test("a hold time of 0 means no hold timer and no keepalives", () => {
    const { effects } = step(sessionIn("OpenSent"), CONFIG, message({ ...OPEN, holdTimeSeconds: 0 }), 1);
    expect(armed(effects, "hold")).toBeUndefined();
    expect(armed(effects, "keepalive")).toBeUndefined();
    expect(effects).toContainEqual({ do: "disarm", timer: "hold" });
  });

  test("only KEEPALIVE and UPDATE restart the hold timer", () => {
    const established = sessionIn("Established");
    expect(armed(step(established, CONFIG, EVENTS.KEEPALIVE, 0).effects, "hold")).toBeDefined();
    expect(armed(step(established, CONFIG, EVENTS.UPDATE, 0).effects, "hold")).toBeDefined();
    expect(armed(step(established, CONFIG, EVENTS["ROUTE-REFRESH"], 0).effects, "hold")).toBeUndefined();
  });
});

describe("what went wrong is said in words", () => {
  const words = (state: SessionState, event: Event) =>
    step(sessionIn(state), CONFIG, event, 0).effects.find((effect) => effect.do === "report")?.words;

  test("a peer in another AS", () => {
    expect(words("OpenSent", EVENTS["OPEN of another AS"])).toBe(
      "the peer says it is AS 65009, AS 65001 is configured (sent OPEN Message Error/Bad Peer AS)",
    );
  });

  test("the operator's text in a shutdown of the peer", () => {
    expect(words("Established", message(cease(2, "maintenance")))).toBe(
      'the peer closed the session: Cease/Administrative Shutdown: "maintenance"',
    );
  });

  test("silence", () => {
    expect(words("Established", EVENTS["hold expires"])).toContain("nothing was heard from the peer for 90 seconds");
  });
});

test("a passive session waits for the peer instead of connecting", () => {
  const { session, effects } = step(IDLE, { ...CONFIG, passive: true }, EVENTS.start, 0);
  expect(session.state).toBe("Active");
  expect(effects.some((effect) => effect.do === "connect")).toBe(false);
});

test("a stop is a hard reset where both sides would keep routes after a NOTIFICATION (RFC 8538)", () => {
  const negotiated: Negotiated = { ...NEGOTIATED, gracefulNotification: true };
  const { effects } = step({ ...sessionIn("Established"), negotiated }, CONFIG, EVENTS.stop, 0);
  expect(effects[0]).toEqual({
    do: "send",
    message: { type: "NOTIFICATION", code: 6, subcode: 9, data: Uint8Array.of(6, 2, 3, ...Buffer.from("bye")) },
  });
});

/**
 * The state machine of one BFD session in asynchronous mode (RFC 5880 §6.8): `step(session, config, event, random)` says
 * what the session is next and what is to be done. No socket, no clock.
 *
 *               peer Down                  peer Init, Up
 *     Down ----------------> Init ------------------------> Up
 *       ^                     |                              |
 *       '--- detection time --'----- detection time, ---------'
 *                                    peer Down or AdminDown
 *
 * While the session is not Up it sends once a second at most (§6.8.3). On entering Up, and whenever the peer takes packets
 * faster than before, it sends at once and goes over to the new pace at once, with a poll on entering Up: a second-long
 * timer still pending would let the peer's new, short detection time run out.
 */
import { BfdStateNumber, type ControlPacket, Diagnostic } from "./control-packet.ts";

/** §6.8.3: the slowest pace of a session that is not Up. */
const SLOW_MILLISECONDS = 1000;

export interface BfdConfig {
  readonly transmitMilliseconds: number;
  readonly receiveMilliseconds: number;
  readonly multiplier: number;
  readonly passive: boolean;
}

export interface BfdSession {
  readonly state: BfdStateNumber;
  readonly diagnostic: number;
  readonly localDiscriminator: number;
  /** 0 until the peer was heard, and again when it fell silent. */
  readonly remoteDiscriminator: number;
  readonly remoteState: BfdStateNumber;
  readonly remoteMinReceiveMilliseconds: number;
  readonly remoteDemand: boolean;
  /** A changed pace waits for the peer's F bit. */
  readonly polling: boolean;
}

export type BfdEvent =
  | { readonly type: "start" }
  | { readonly type: "packet"; readonly packet: ControlPacket }
  | { readonly type: "transmit-due" }
  | { readonly type: "detection-expired" }
  | { readonly type: "stop" };

export type BfdEffect =
  | { readonly do: "send"; readonly packet: ControlPacket }
  | { readonly do: "arm"; readonly timer: "transmit" | "detection"; readonly milliseconds: number }
  | { readonly do: "disarm"; readonly timer: "transmit" | "detection" }
  | { readonly do: "changed"; readonly state: BfdStateNumber; readonly words: string };

interface BfdTransition {
  readonly session: BfdSession;
  readonly effects: readonly BfdEffect[];
}

export function newBfdSession(localDiscriminator: number): BfdSession {
  return {
    state: BfdStateNumber.Down,
    diagnostic: Diagnostic.None,
    localDiscriminator,
    remoteDiscriminator: 0,
    remoteState: BfdStateNumber.Down,
    remoteMinReceiveMilliseconds: 1,
    remoteDemand: false,
    polling: false,
  };
}

/** `random` is a number in [0, 1) for the jitter of §6.8.7. */
export function stepBfd(session: BfdSession, config: BfdConfig, event: BfdEvent, random: number): BfdTransition {
  switch (event.type) {
    case "start":
      return { session, effects: config.passive ? [] : sendNow(session, config, random) };
    case "transmit-due":
      return { session, effects: isQuiet(session) ? [] : sendNow(session, config, random) };
    case "detection-expired":
      return silence(session, config, random);
    case "stop": {
      const down = { ...session, state: BfdStateNumber.AdminDown, diagnostic: Diagnostic.AdministrativelyDown };
      const effects: BfdEffect[] = [
        { do: "send", packet: packetOf(down, config, false) },
        { do: "disarm", timer: "transmit" },
        { do: "disarm", timer: "detection" },
      ];
      return { session: down, effects };
    }
    case "packet":
      return receive(session, config, event.packet, random);
  }
}

function silence(session: BfdSession, config: BfdConfig, random: number): BfdTransition {
  const wasUp = session.state !== BfdStateNumber.Down;
  const down: BfdSession = {
    ...session,
    state: BfdStateNumber.Down,
    diagnostic: wasUp ? Diagnostic.DetectionTimeExpired : session.diagnostic,
    remoteDiscriminator: 0,
    remoteState: BfdStateNumber.Down,
    polling: false,
  };
  if (!wasUp) return { session: down, effects: [] };
  const changed = { do: "changed", state: down.state, words: "the peer fell silent" } as const;
  return { session: down, effects: [changed, ...sendNow(down, config, random)] };
}

function receive(session: BfdSession, config: BfdConfig, packet: ControlPacket, random: number): BfdTransition {
  const heard: BfdSession = {
    ...session,
    remoteDiscriminator: packet.myDiscriminator,
    remoteState: packet.state,
    remoteMinReceiveMilliseconds: packet.requiredMinReceiveMilliseconds,
    remoteDemand: packet.demand,
    polling: session.polling && !packet.final,
  };
  const next = advance(heard, packet.state);
  const detection = packet.multiplier * Math.max(config.receiveMilliseconds, packet.desiredMinTransmitMilliseconds);
  const effects: BfdEffect[] = [{ do: "arm", timer: "detection", milliseconds: detection }];
  if (packet.poll) effects.push({ do: "send", packet: { ...packetOf(next, config, false), final: true } });
  const changed = next.state !== session.state;
  if (changed) effects.push({ do: "changed", state: next.state, words: wordsOf(next.state, packet) });
  const wasQuiet = config.passive && session.remoteDiscriminator === 0;
  const faster = intervalOf(next, config) < intervalOf(session, config);
  if (changed || wasQuiet || faster) effects.push(...sendNow(next, config, random));
  return { session: next, effects };
}

/** §6.8.6, the state machine proper. */
function advance(session: BfdSession, remote: BfdStateNumber): BfdSession {
  const { AdminDown, Down, Init, Up } = BfdStateNumber;
  const { state } = session;
  const lost: BfdSession = { ...session, state: Down, diagnostic: Diagnostic.NeighborSignaledDown, polling: false };
  const up: BfdSession = { ...session, state: Up, diagnostic: Diagnostic.None, polling: true };
  if (remote === AdminDown) return state === Down ? session : lost;
  if (state === Down) {
    if (remote === Down) return { ...session, state: Init };
    return remote === Init ? up : session;
  }
  if (state === Init) return remote === Init || remote === Up ? up : session;
  return state === Up && remote === Down ? lost : session;
}

function wordsOf(state: BfdStateNumber, packet: ControlPacket): string {
  if (state !== BfdStateNumber.Down) return "the peer answers";
  return packet.state === BfdStateNumber.AdminDown ? "the peer's BFD was switched off" : "the peer lost us";
}

/** Nothing is sent periodically to a peer that wants nothing (§6.8.7). */
function isQuiet(session: BfdSession): boolean {
  const { Up } = BfdStateNumber;
  const excused = session.remoteDemand && session.state === Up && session.remoteState === Up && !session.polling;
  return excused || session.remoteMinReceiveMilliseconds === 0;
}

function sendNow(session: BfdSession, config: BfdConfig, random: number): BfdEffect[] {
  // §6.8.7: less by up to a quarter; with a multiplier of 1 by at least a tenth, or the peer would time out.
  const shortened = config.multiplier === 1 ? 0.1 + 0.15 * random : 0.25 * random;
  return [
    { do: "send", packet: packetOf(session, config, session.polling) },
    { do: "arm", timer: "transmit", milliseconds: intervalOf(session, config) * (1 - shortened) },
  ];
}

function intervalOf(session: BfdSession, config: BfdConfig): number {
  return Math.max(paceOf(session, config), session.remoteMinReceiveMilliseconds);
}

function paceOf({ state }: BfdSession, { transmitMilliseconds }: BfdConfig): number {
  return state === BfdStateNumber.Up ? transmitMilliseconds : Math.max(transmitMilliseconds, SLOW_MILLISECONDS);
}

function packetOf(session: BfdSession, config: BfdConfig, poll: boolean): ControlPacket {
  return {
    diagnostic: session.diagnostic,
    state: session.state,
    poll,
    final: false,
    demand: false,
    multiplier: config.multiplier,
    myDiscriminator: session.localDiscriminator,
    yourDiscriminator: session.remoteDiscriminator,
    desiredMinTransmitMilliseconds: paceOf(session, config),
    requiredMinReceiveMilliseconds: config.receiveMilliseconds,
  };
}

/**
 * Datagrams that a node at rest sends again and again, and hears again and again, without a step into JavaScript: the addon does
 * it by a timer of this thread's own loop, and calls when there is anything else (native/addon/resting_beat.h says what). A third
 * of what fifty nodes' heartbeats cost was stepping into JavaScript five times a second (`npm run bench -- l2`, before and since).
 */
import type { DatagramSocket } from "./datagram-socket.ts";
import { type NativeMessage, type NativeRestingBeat, native } from "./native.ts";
import type { RepeatSieve } from "./repeat-sieve.ts";

/** Fields of the clock, in the addon's order. */
const NOW = 0;
const NEXT = 1;
const EVERY = 2;
const PATIENCE = 3;
const UNTIL = 4;
const DEAD = 5;
const AWAITS = 6;
const SEQUENCE = 7;
const LAST_LOOK = 8;
const LIVED = 9;
const SENT = 10;
const UNSENT = 11;
const RECEIVED = 12;
const REFUSED = 13;
const TAKEN = 14;
const ROWS = 15;
const OTHERS = 16;
const UNPROVED = 17;
const FIELDS = 18;
const SIGN = 2;

/** What a node says and expects while it rests. Times are in milliseconds, moments by `performance.now()`. */
export interface RestPlan {
  /** In the order in which they are sent at each beat; each gets the next sequence number. */
  readonly messages: readonly { readonly datagram: Uint8Array; readonly to: readonly Uint8Array[] }[];
  readonly port: number;
  /** Those that are expected, by their number in the sieve, and what was heard of them last. */
  readonly senders: ReadonlyMap<number, { readonly sequence: number; readonly at: number }>;
  readonly now: number;
  readonly next: number;
  readonly every: number;
  /** The shortest silence after which one of the senders is missed. */
  readonly patience: number;
  /** The first beat from then on is the last. */
  readonly until: number;
  /** How late a beat must be for nothing to be said any more. */
  readonly dead: number;
  /** Others than the senders may be heard at any time: each beat looks, and not only where somebody would be missed. */
  readonly awaits: boolean;
  /** Of the last message before. */
  readonly sequence: number;
  readonly lastLook: number;
  /** Descriptors that end the rest at the beat by which there is something to read. */
  readonly watched: readonly number[];
}

/** What has happened in a rest. */
export interface RestReport {
  readonly sequence: number;
  readonly next: number;
  readonly lastLook: number;
  /** When there was a beat for the last time, in time. */
  readonly lived: number;
  readonly sent: number;
  readonly unsent: number;
  readonly received: number;
  readonly refused: number;
  /** By their number, senders that were heard since: the latest of each. */
  readonly heard: ReadonlyMap<number, { readonly sequence: number; readonly at: number }>;
  /** Datagrams of one socket that were taken and sifted, and nothing else was done with them; `null` for none. */
  readonly unread: { readonly socket: DatagramSocket; readonly count: number; readonly rows: number } | null;
}

export class RestingBeat {
  readonly #native: NativeRestingBeat;
  readonly #sieve: RepeatSieve;
  readonly #sockets: readonly DatagramSocket[];
  readonly #clock = new Float64Array(FIELDS);
  #signs = new Float64Array(0);
  #senders: RestPlan["senders"] | null = null;

  /** @param wake is called when the rest is over; it is to `end` it. */
  constructor(sieve: RepeatSieve, sockets: readonly DatagramSocket[], wake: () => void) {
    this.#sieve = sieve;
    this.#sockets = sockets;
    const rooms = sockets.map(({ handle, taken }) => [handle, taken.octets, taken.lengths, taken.ages] as const);
    this.#native = new native.RestingBeat(sieve.handle, rooms, sieve.left, sieve.heard, wake);
  }

  begin(plan: RestPlan): void {
    const clock = this.#clock;
    clock[NOW] = plan.now;
    clock[NEXT] = plan.next;
    clock[EVERY] = plan.every;
    clock[PATIENCE] = plan.patience;
    clock[UNTIL] = plan.until;
    clock[DEAD] = plan.dead;
    clock[AWAITS] = plan.awaits ? 1 : 0;
    clock[SEQUENCE] = plan.sequence;
    clock[LAST_LOOK] = plan.lastLook;
    const most = SIGN * (Math.max(...plan.senders.keys(), -1) + 1);
    if (this.#signs.length < most) this.#signs = new Float64Array(most);
    this.#signs.fill(-1);
    for (const [sender, { sequence, at }] of plan.senders) {
      this.#signs[SIGN * sender] = sequence;
      this.#signs[SIGN * sender + 1] = at;
    }
    const messages = plan.messages.map(({ datagram, to }): NativeMessage => [datagram, ...to]);
    this.#senders = plan.senders;
    this.#native.begin(messages, plan.port, this.#signs, clock, plan.watched);
  }

  /** @returns what has happened since it began; `null` where it did not, or has ended since. */
  end(): RestReport | null {
    const senders = this.#senders;
    if (senders === null) return null;
    this.#senders = null;
    const unread = this.#native.end();
    const clock = this.#clock;
    const heard = new Map<number, { sequence: number; at: number }>();
    for (const [sender, before] of senders) {
      const [sequence, at] = [this.#signs[SIGN * sender]!, this.#signs[SIGN * sender + 1]!];
      if (sequence > before.sequence) heard.set(sender, { sequence, at });
    }
    if (unread >= 0) {
      this.#sieve.others = clock[OTHERS]!;
      this.#sieve.refused = clock[UNPROVED]!;
    }
    return {
      sequence: clock[SEQUENCE]!,
      next: clock[NEXT]!,
      lastLook: clock[LAST_LOOK]!,
      lived: clock[LIVED]!,
      sent: clock[SENT]!,
      unsent: clock[UNSENT]!,
      received: clock[RECEIVED]!,
      refused: clock[REFUSED]!,
      heard,
      unread: unread < 0 ? null : { socket: this.#sockets[unread]!, count: clock[TAKEN]!, rows: clock[ROWS]! },
    };
  }

  close(): void {
    this.#senders = null;
    this.#native.close();
  }
}

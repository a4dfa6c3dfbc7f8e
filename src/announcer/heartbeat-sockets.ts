/**
 * UDP sockets of the heartbeats, two per family; what is not authentic is counted and forgotten.
 *
 *   news              wakes this thread at once
 *   all other ones    wait until it looks: to be woken for each of them would cost more than all the rest; those that say what
 *                     their sender said before are told as signs of life, without being read
 *
 * While nobody has anything new to say, all this goes on in the addon (`rest`).
 */
import type { Socket } from "node:dgram";
import type { Rest, Rested, SignOfLife } from "../l2/event.ts";
import type { Heartbeat } from "../l2/heartbeat.ts";
import { HeartbeatDecoder, HeartbeatEncoder, MOST_OCTETS, NAME_AT, URGENT } from "../l2/heartbeat-codec.ts";
import { StatementAssembly } from "../l2/statement-assembly.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { authenticator } from "../xdp/authenticator.ts";
import { addressOctets, DatagramSocket } from "../xdp/datagram-socket.ts";
import { isNativeError } from "../xdp/native-error.ts";
import { RepeatSieve } from "../xdp/repeat-sieve.ts";
import { RestingBeat, type RestReport } from "../xdp/resting-beat.ts";

/** Where heartbeats are heard and what they come from, by family; `null` for no heartbeats by that family. */
export type OwnAddresses = Readonly<Record<4 | 6, string | null>>;

const FAMILIES = [4, 6] as const;
const ANY_ADDRESS: OwnAddresses = { 4: "0.0.0.0", 6: "::" };
/** How often all is taken that there is room for, at one look: a flood must not keep the thread from its own heartbeats. */
const MOST_ROUNDS = 8;

/** Whom the sockets hear for, and what they do with it. */
export interface HeartbeatEars {
  /** The session of the node, which may change. */
  readonly session: () => number;
  /** `at` is when it came, by `performance.now()`. */
  readonly take: (heartbeat: Heartbeat, at: number) => void;
  /** Whether a member is known to have lived at a moment, or later: what only says that it did need not be read. */
  readonly hasHeard: (name: string, at: number) => boolean;
  /** Whether a member lives in a session of it: what it says again is told as a sign of life only. */
  readonly livesIn: (name: string, session: number) => boolean;
  readonly again: (signs: readonly SignOfLife[]) => void;
  /** A rest has to end: `wake` is due. */
  readonly rested: () => void;
}

/** Who says the same again and again, and the session of ours that it names. */
interface Repeating {
  readonly from: string;
  readonly session: number;
  readonly ours: number;
}

interface Place {
  readonly family: 4 | 6;
  readonly octets: Uint8Array;
}

export class HeartbeatSockets {
  sent = 0;
  /** Those that are passed over too, since a later one of the same sender was read. */
  received = 0;
  refused = 0;
  /** Without a route, or without room for them just then. */
  unsent = 0;
  readonly #ears: HeartbeatEars;
  readonly #encoder: HeartbeatEncoder;
  readonly #decoder: HeartbeatDecoder;
  readonly #port: number;
  readonly #sockets: Readonly<Record<4 | 6, DatagramSocket | null>>;
  readonly #news: Socket[] = [];
  readonly #assembly = new StatementAssembly();
  readonly #sieve: RepeatSieve;
  /** By the number that the sieve has given them. */
  readonly #repeating: Repeating[] = [];
  /** Those numbers, by the name of the sender. */
  readonly #numbers = new Map<string, number>();
  readonly #resting: RestingBeat;
  /** What the addon has taken, and could not deal with. */
  #unread: RestReport["unread"] = null;
  #lastLook = performance.now();
  /** Members by the text of their address. */
  readonly #places = new Map<string, Place>();

  /** @throws in words where the port is taken. */
  constructor(key: Uint8Array, port: number, ears: HeartbeatEars, own: OwnAddresses = ANY_ADDRESS) {
    this.#ears = ears;
    const authenticate = authenticator(key);
    this.#encoder = new HeartbeatEncoder(authenticate);
    this.#decoder = new HeartbeatDecoder(authenticate);
    this.#sieve = new RepeatSieve(key, NAME_AT);
    this.#port = port;
    this.#sockets = { 4: bound(own[4], port), 6: bound(own[6], port) };
    this.#resting = new RestingBeat(this.#sieve, this.#all(), () => ears.rested());
    for (const socket of this.#all()) {
      const news = socket.divert(URGENT.offset, URGENT.mask);
      this.#news.push(news.on("message", (datagram) => this.#readNews(datagram)));
    }
  }

  /** A look is due, since a rest has ended by what is still to be read. */
  get hasUnread(): boolean {
    return this.#unread !== null;
  }

  /** Takes what has come since the last look, but for news. */
  look(): void {
    const now = performance.now();
    // Whatever the wall clock says: what had come before the last look was taken then.
    const cameAt = (age: number) => Math.min(Math.max(now - age, this.#lastLook), now);
    const hear = (socket: DatagramSocket, count: number, rows: number) => {
      this.#hearRepeats(socket, count, rows, cameAt);
      this.#readOthers(socket, cameAt);
    };
    if (this.#unread !== null) hear(this.#unread.socket, this.#unread.count, this.#unread.rows);
    this.#unread = null;
    for (const socket of this.#all()) {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const count = socket.receive();
        if (count === 0) break;
        hear(socket, count, this.#sieve.sift(socket.taken, count));
      }
    }
    this.#lastLook = now;
  }

  /**
   * Lets the addon say the same again, and hear it, until anything else happens.
   *
   * @param addressOf a node; `undefined` for one that can't be reached.
   * @param watched descriptors by which it ends too, when there is something to read.
   * @returns `false` where that can't be, since a member has not said the same twice.
   */
  rest(rest: Rest, addressOf: (node: string) => string | undefined, watched: readonly number[], now: number): boolean {
    const senders = new Map<number, SignOfLife>();
    const ours = this.#ears.session();
    for (const sign of rest.signs) {
      const number = this.#numbers.get(sign.from) ?? -1;
      const known = this.#repeating[number];
      if (known?.from !== sign.from || known.session !== sign.session || known.ours !== ours) return false;
      senders.set(number, sign);
    }
    const sockets = this.#all();
    const messages = rest.messages.flatMap(({ message, to }) => {
      const places = to.flatMap((node) => {
        const address = addressOf(node);
        return address === undefined ? [] : [this.#placeOf(address)];
      });
      const octetsOf = (family: 4 | 6) => places.filter((place) => place.family === family).map(({ octets }) => octets);
      const bySocket = sockets.map((socket) => socket.joined(octetsOf(socket.family)));
      // The number of a sheet means nothing: each may have one of its own.
      return this.#encoder.encode(message).map((datagram) => ({ datagram, to: bySocket }));
    });
    this.#resting.begin({ ...rest, messages, senders, now, port: this.#port, lastLook: this.#lastLook, watched });
    return true;
  }

  /** Ends a rest. @returns what has come of it; `null` where there was none. */
  wake(): Rested | null {
    const report = this.#resting.end();
    if (report === null) return null;
    this.sent += report.sent;
    this.unsent += report.unsent;
    this.received += report.received;
    this.refused += report.refused;
    this.#lastLook = report.lastLook;
    this.#unread = report.unread;
    const signs = Array.from(report.heard, ([number, { sequence, at }]): SignOfLife => {
      const { from, session } = this.#repeating[number]!;
      return { from, session, sequence, at };
    });
    return { signs, sequence: report.sequence, next: report.next, lived: report.lived };
  }

  /** One that is played again is no later than itself, so it makes nobody live longer. */
  #hearRepeats(socket: DatagramSocket, count: number, rows: number, cameAt: (age: number) => number): void {
    const signs: SignOfLife[] = [];
    const unfit: number[] = [];
    for (let row = 0; row < rows; row++) {
      const { from, session, ours } = this.#repeating[this.#sieve.sender(row)]!;
      if (ours !== this.#ears.session() || !this.#ears.livesIn(from, session)) unfit.push(row);
      else signs.push({ from, session, sequence: this.#sieve.sequence(row), at: cameAt(this.#sieve.age(row)) });
    }
    this.refused += this.#sieve.refused;
    this.received += count - this.#sieve.others - this.#sieve.refused - unfit.length;
    if (signs.length > 0) this.#ears.again(signs);
    for (const row of unfit) this.#read(socket.datagram(this.#sieve.datagram(row)), cameAt(this.#sieve.age(row)));
  }

  /**
   * Of each member that one is read first which says to be its latest, and what came before it is passed over, unless the latest
   * was forged.
   */
  #readOthers(socket: DatagramSocket, cameAt: (age: number) => number): void {
    const indexes = this.#sieve.left.subarray(0, this.#sieve.others);
    const senders = Array.from(indexes, (index) => this.#decoder.sender(socket.datagram(index)));
    const latest = this.#latest(socket, indexes, senders);
    for (const index of latest.values()) {
      const datagram = socket.datagram(index);
      const heartbeat = this.#read(datagram, cameAt(socket.age(index)));
      if (heartbeat !== null) this.#learn(datagram, heartbeat);
    }
    for (const [place, index] of indexes.entries()) {
      const [sender, at] = [senders[place]!, cameAt(socket.age(index))];
      if (sender !== null && latest.get(sender) === index) continue;
      if (sender !== null && this.#ears.hasHeard(sender, at)) this.received++;
      else this.#read(socket.datagram(index), at);
    }
  }

  #learn(datagram: Uint8Array, { from, session, heard, statement, moves }: Heartbeat): void {
    const ours = this.#ears.session();
    if (statement !== null || moves.length > 0 || !heard.some((one) => one.session === ours)) return;
    const number = this.#sieve.learn(datagram);
    this.#repeating[number] = { from, session, ours };
    this.#numbers.set(from, number);
  }

  /** What its sender says from now on may be what it said before. */
  #readNews(datagram: Uint8Array): void {
    if (this.#read(datagram, performance.now()) !== null) this.#sieve.forget(datagram);
  }

  /** What cannot be sent to a member is as good as lost, and it notices; the others get theirs. */
  send(heartbeat: Heartbeat, addresses: readonly string[]): void {
    const places = addresses.map((address) => this.#placeOf(address));
    const datagrams = this.#encoder.encode(heartbeat);
    for (const family of FAMILIES) {
      const to = places.filter((place) => place.family === family).map(({ octets }) => octets);
      if (to.length === 0) continue;
      for (const datagram of datagrams) {
        const unsent = this.#sockets[family]?.send(datagram, to, this.#port) ?? to.length;
        this.sent += to.length - unsent;
        this.unsent += unsent;
      }
    }
  }

  close(): void {
    this.#resting.close();
    for (const socket of this.#all()) socket.close();
    for (const socket of this.#news) socket.close();
  }

  /** @returns the heartbeat, where it is one and authentic. */
  #read(datagram: Uint8Array, at: number): Heartbeat | null {
    const read = this.#decoder.decode(datagram, this.#ears.session());
    if (read === null) {
      this.refused++;
      return null;
    }
    this.received++;
    const heartbeat = this.#assembly.add(read);
    if (heartbeat !== null) this.#ears.take(heartbeat, at);
    return heartbeat;
  }

  /** By who they say to be from, the first of those with the largest sequence number. */
  #latest(
    socket: DatagramSocket,
    indexes: Int32Array,
    senders: readonly (string | null)[],
  ): ReadonlyMap<string, number> {
    const latest = new Map<string, number>();
    const sequences = new Map<string, number>();
    for (const [place, sender] of senders.entries()) {
      if (sender === null) continue;
      const index = indexes[place]!;
      const sequence = this.#decoder.sequence(socket.datagram(index));
      if (sequence <= (sequences.get(sender) ?? -1)) continue;
      latest.set(sender, index);
      sequences.set(sender, sequence);
    }
    return latest;
  }

  #all(): DatagramSocket[] {
    return FAMILIES.flatMap((family) => this.#sockets[family] ?? []);
  }

  #placeOf(address: string): Place {
    let place = this.#places.get(address);
    if (place === undefined) {
      const parsed = parseIpAddress(address)!;
      place = { family: parsed.family, octets: addressOctets(parsed) };
      this.#places.set(address, place);
    }
    return place;
  }
}

function bound(address: string | null, port: number): DatagramSocket | null {
  if (address === null) return null;
  try {
    return new DatagramSocket(parseIpAddress(address)!, port, MOST_OCTETS);
  } catch (cause) {
    // A machine without IPv6 has no such socket, and no heartbeats by it.
    if (isNativeError(cause) && cause.code === "EAFNOSUPPORT") return null;
    const why = `cannot receive heartbeats: ${(cause as Error).message}; \`--l2-port\` names another one`;
    throw new Error(why, { cause });
  }
}

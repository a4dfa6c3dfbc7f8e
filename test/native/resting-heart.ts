/** A node that says and hears the same again by the addon: what one message of it is, and how it begins to rest. */
import { HeartbeatEncoder, MOST_OCTETS, NAME_AT } from "../../src/l2/heartbeat-codec.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { authenticator } from "../../src/xdp/authenticator.ts";
import { addressOctets, DatagramSocket } from "../../src/xdp/datagram-socket.ts";
import { RepeatSieve } from "../../src/xdp/repeat-sieve.ts";
import { RestingBeat, type RestPlan } from "../../src/xdp/resting-beat.ts";

export const EVERY_MILLISECONDS = 20;
const KEY = new TextEncoder().encode("the secret of this test");

export function said(from: string, sequence: number): Uint8Array {
  const always = { session: 9, ready: true, draining: false, patienceMilliseconds: 650, version: 1 };
  const heard = [{ node: "other", session: 7, version: 1, held: false }];
  const encoder = new HeartbeatEncoder(authenticator(KEY));
  return encoder.encode({ ...always, from, sequence, heard, statement: null, moves: [] })[0]!;
}

export class RestingHeart {
  readonly address: Uint8Array;
  readonly sieve = new RepeatSieve(KEY, NAME_AT);
  readonly socket: DatagramSocket;
  readonly resting: RestingBeat;
  readonly #port: number;
  woken = 0;

  constructor(address: string, port: number) {
    this.#port = port;
    this.address = addressOctets(parseIpAddress(address)!);
    this.socket = new DatagramSocket(parseIpAddress(address)!, port, MOST_OCTETS);
    this.resting = new RestingBeat(this.sieve, [this.socket], () => this.woken++);
  }

  /** @param expects senders, of whom number 1 was heard just now. */
  rest(to: readonly Uint8Array[], expects: readonly string[], over: Partial<RestPlan> = {}): void {
    const now = performance.now();
    const senders = new Map(expects.map((name) => [this.sieve.learn(said(name, 1)), { sequence: 1, at: now }]));
    this.resting.begin({
      messages: [{ datagram: said("self", 0), to: [this.socket.joined(to)] }],
      port: this.#port,
      senders,
      now,
      next: now + EVERY_MILLISECONDS,
      every: EVERY_MILLISECONDS,
      patience: 60_000,
      until: Number.POSITIVE_INFINITY,
      dead: 60_000,
      awaits: false,
      sequence: 100,
      lastLook: now,
      watched: [],
      ...over,
    });
  }

  close(): void {
    this.resting.close();
    this.socket.close();
  }
}

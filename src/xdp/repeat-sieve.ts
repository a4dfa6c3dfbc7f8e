/**
 * Datagrams by which senders say the same again, but for a sequence number that grows and an authentication code: recognised and
 * authenticated by the addon, so that only what they may mean by it is left to say: the sender lives.
 */
import { DATAGRAMS_AT_ONCE, type DatagramSocket } from "./datagram-socket.ts";
import { type NativeRepeatSieve, native } from "./native.ts";

const ROW = 4;

export class RepeatSieve {
  /** The addon's. */
  readonly handle: NativeRepeatSieve;
  /** As `sift` leaves it: a row for each sender that was heard, of its number, sequence number, age and datagram. */
  readonly heard = new Float64Array(ROW * DATAGRAMS_AT_ONCE);
  /** Indexes of the datagrams that are none, those of `others` first, as of the last time. */
  readonly left = new Int32Array(DATAGRAMS_AT_ONCE);
  others = 0;
  /** Repeats that were not authentic, at the last time. */
  refused = 0;
  readonly #tally = new Int32Array(2);

  /**
   * @param key of the code, at most 64 octets.
   * @param nameAt the octet with the length of the sender's name; session and sequence number follow, 48 bits each.
   */
  constructor(key: Uint8Array, nameAt: number) {
    this.handle = new native.RepeatSieve(key, nameAt);
  }

  /** What its sender says from now on. @param datagram one that is authentic. @returns a number for the sender in its session. */
  learn(datagram: Uint8Array): number {
    return this.handle.learn(datagram);
  }

  /** Its sender has said something else meanwhile. */
  forget(datagram: Uint8Array): void {
    this.handle.forget(datagram);
  }

  /** Takes repeats from the datagrams that a socket has received. @returns of how many senders there are some. */
  sift({ octets, lengths, ages }: DatagramSocket["taken"], count: number): number {
    const heard = this.handle.sift(octets, lengths, ages, count, this.left, this.heard, this.#tally);
    this.others = this.#tally[0]!;
    this.refused = this.#tally[1]!;
    return heard;
  }

  /** The number of a sender that was heard, as `learn` gave it. @param row 0 to what `sift` has returned, less one. */
  sender(row: number): number {
    return this.heard[ROW * row]!;
  }

  /** Of the latest authentic repeat. */
  sequence(row: number): number {
    return this.heard[ROW * row + 1]!;
  }

  /** Of the same, in milliseconds. */
  age(row: number): number {
    return this.heard[ROW * row + 2]!;
  }

  /** Which of the datagrams it is. */
  datagram(row: number): number {
    return this.heard[ROW * row + 3]!;
  }
}

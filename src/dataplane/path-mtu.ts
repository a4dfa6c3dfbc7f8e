/**
 * What routers have said about the paths of our tunnels: how long a packet may be on the way to a backend's node. They tell
 * the tunnel's end, which is us, and may quote too little to say whose packet it was (RFC 2003 §5.1). So the size is
 * remembered here, and the client is told when its next packet is too long.
 *
 * Shared by the workers, and with the kernel's program (native/bpf/dsr_send.h), which leaves what is too long to them. Few
 * places; another address in one's place makes it forgotten, and the next packet that is too long brings it back.
 *
 *   word 0..3 address   4 MTU   5 second, 0 while the others are written
 */
import { copyAddress, sameAddress } from "../wire/raw.ts";

const PLACES = 256;
const WORDS = 8;
const MTU = 4;
const SECOND = 5;
/** RFC 1191 §6.3, RFC 8201 §4: a larger one may be tried after ten minutes. */
const LIFETIME_SECONDS = 600;

export const NO_LIMIT = 0xffff;

export class PathMtus {
  readonly #words: Int32Array;

  constructor(words: Int32Array = pathMtuMemory()) {
    this.#words = words;
  }

  learn(words: Int32Array, at: number, mtu: number, now: number): void {
    const place = placeOf(words, at);
    Atomics.store(this.#words, place + SECOND, 0);
    copyAddress(this.#words, place, words, at);
    this.#words[place + MTU] = mtu;
    Atomics.store(this.#words, place + SECOND, now);
  }

  /** How long a packet to an address may be, bytes; NO_LIMIT where nobody has said. */
  limit(words: Int32Array, at: number, now: number): number {
    const place = placeOf(words, at);
    const second = this.#words[place + SECOND]!;
    if (second === 0 || now - second >= LIFETIME_SECONDS) return NO_LIMIT;
    return sameAddress(this.#words, place, words, at) ? this.#words[place + MTU]! : NO_LIMIT;
  }
}

function pathMtuMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(PLACES * WORDS * 4));
}

function placeOf(words: Int32Array, at: number): number {
  const folded = words[at]! ^ words[at + 1]! ^ words[at + 2]! ^ words[at + 3]!;
  return (Math.imul(folded, 0x9e3779b1) >>> 24) * WORDS;
}
